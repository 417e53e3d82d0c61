//! Lower convex hulls of points (composition, energy).

/// Indices of the vertices of the lower convex hull, in order of x (A. M. Andrew, Inf. Process. Lett. 9, 216 (1979)). Of points with
/// the same x only the lowest counts; points on an edge are no vertices. Points that are not finite are passed over.
pub fn lower_hull(points: &[[f64; 2]]) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..points.len()).filter(|i| points[*i].iter().all(|c| c.is_finite())).collect();
    order.sort_by(|a, b| {
        points[*a][0].total_cmp(&points[*b][0]).then(points[*a][1].total_cmp(&points[*b][1])).then(a.cmp(b))
    });
    order.dedup_by(|later, earlier| points[*later][0] == points[*earlier][0]);
    let mut hull: Vec<usize> = Vec::new();
    for index in order {
        while hull.len() > 1 {
            let [p, q, r] = [points[hull[hull.len() - 2]], points[hull[hull.len() - 1]], points[index]];
            if (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]) > 0.0 {
                break;
            }
            hull.pop();
        }
        hull.push(index);
    }
    hull
}

/// Energy of a hull at x by linear interpolation between its vertices; `None` outside them.
pub fn hull_energy(points: &[[f64; 2]], hull: &[usize], x: f64) -> Option<f64> {
    if let [single] = hull {
        return (points[*single][0] == x).then(|| points[*single][1]);
    }
    hull.windows(2).find_map(|edge| {
        let [p, q] = [points[edge[0]], points[edge[1]]];
        (p[0] <= x && x <= q[0]).then(|| p[1] + (q[1] - p[1]) * (x - p[0]) / (q[0] - p[0]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hull_of_a_few_points() {
        let points =
            [[0.0, 0.0], [1.0, 0.0], [0.5, -1.0], [0.5, 3.0], [0.25, -0.5], [0.75, -0.2], [f64::NAN, -9.0]];
        let hull = lower_hull(&points);
        assert_eq!(hull, [0, 2, 1]);
        assert_eq!(hull_energy(&points, &hull, 0.25), Some(-0.5));
        assert_eq!(hull_energy(&points, &hull, 1.5), None);
        assert!(lower_hull(&[]).is_empty());
    }
}
