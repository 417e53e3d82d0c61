//! Order of a directed graph, and its loops.

use std::collections::{BTreeSet, VecDeque};

/// Node indices such that each comes after its dependencies, smallest first among the free (Kahn's algorithm), and the
/// loops that forbid such an order, each as a chain `a -> its dependency -> ... -> back to a`.
pub(crate) fn order(dependencies: &[BTreeSet<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let n = dependencies.len();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); n];
    let mut missing: Vec<usize> = vec![0; n];
    for (node, needed) in dependencies.iter().enumerate() {
        missing[node] = needed.len();
        for d in needed {
            users[*d].push(node);
        }
    }
    let mut free: BTreeSet<usize> = (0..n).filter(|i| missing[*i] == 0).collect();
    let mut done = vec![false; n];
    let mut order = Vec::with_capacity(n);
    let mut loops = Vec::new();
    let mut search_from = 0;
    loop {
        while let Some(node) = free.pop_first() {
            if done[node] {
                continue;
            }
            done[node] = true;
            order.push(node);
            for user in &users[node] {
                missing[*user] -= 1;
                if missing[*user] == 0 {
                    free.insert(*user);
                }
            }
        }
        while search_from < n && done[search_from] {
            search_from += 1;
        }
        if search_from == n {
            return (order, loops);
        }
        // Every remaining node waits for a remaining one: walking along must come back to a node already met.
        let cycle = walk(search_from, dependencies, &done);
        for node in &cycle {
            free.insert(*node);
        }
        loops.push(cycle);
    }
}

/// A loop met when walking from `start` along undone dependencies, beginning at its smallest node.
fn walk(start: usize, dependencies: &[BTreeSet<usize>], done: &[bool]) -> Vec<usize> {
    let mut position: Vec<Option<usize>> = vec![None; dependencies.len()];
    let mut path: VecDeque<usize> = VecDeque::new();
    let mut node = start;
    loop {
        if let Some(at) = position[node] {
            let mut cycle: Vec<usize> = path.into_iter().skip(at).collect();
            let least = cycle.iter().enumerate().min_by_key(|(_, n)| **n).map_or(0, |(i, _)| i);
            cycle.rotate_left(least);
            return cycle;
        }
        position[node] = Some(path.len());
        path.push_back(node);
        match dependencies[node].iter().find(|d| !done[**d]) {
            Some(next) => node = *next,
            None => return path.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(edges: &[&[usize]]) -> Vec<BTreeSet<usize>> {
        edges.iter().map(|e| e.iter().copied().collect()).collect()
    }

    #[test]
    fn loops_are_named_once_each() {
        assert_eq!(order(&graph(&[&[], &[0], &[1, 0]])), (vec![0, 1, 2], vec![]));
        assert_eq!(order(&graph(&[&[0]])).1, vec![vec![0]]);
        // 0 enters the loop at 2; the loop is named from its smallest node.
        assert_eq!(order(&graph(&[&[2], &[2], &[1]])).1, vec![vec![1, 2]]);
        // 0 hangs on the loop 1 -> 2 -> 1, and 3 -> 4 -> 3 is another.
        let (_, loops) = order(&graph(&[&[1], &[2], &[1], &[4], &[3]]));
        assert_eq!(loops, vec![vec![1, 2], vec![3, 4]]);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_does_not_exhaust_the_stack() {
        let chain: Vec<BTreeSet<usize>> =
            (0..100_000).map(|i| if i == 0 { BTreeSet::new() } else { BTreeSet::from([i - 1]) }).collect();
        assert_eq!(order(&chain).0.len(), 100_000);
    }

    proptest! {
        #[test]
        fn an_order_exists_exactly_without_loops(edges in proptest::collection::vec((0usize..12, 0usize..12), 0..24)) {
            let mut g = vec![BTreeSet::new(); 12];
            for (a, b) in &edges {
                g[*a].insert(*b);
            }
            let (order, loops) = order(&g);
            if loops.is_empty() {
                let mut place = [0; 12];
                for (i, node) in order.iter().enumerate() {
                    place[*node] = i;
                }
                prop_assert_eq!(order.len(), 12);
                prop_assert!(edges.iter().all(|(a, b)| place[*a] > place[*b]));
            }
            for cycle in &loops {
                for (i, node) in cycle.iter().enumerate() {
                    prop_assert!(g[*node].contains(&cycle[(i + 1) % cycle.len()]));
                }
            }
        }
    }
}
