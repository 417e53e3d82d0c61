//! One vacancy in an infinite crystal: transport in the limit of few vacancies, exact by the lattice Green function.
//!
//! **States.** A tagged atom stands in cell 0 on sublattice s, the vacancy on sublattice j of cell R; (s; R, j) is the state in the frame of the tagged
//! atom. With equilibrium weights pi and rates w, the conductances c(x, y) = pi(x) w(x, y) = c(y, x) make A = pi (-W) the Laplacian of a network. The block of
//! every s is the walk of the vacancy in the perfect crystal but for the bonds near the atom: those to the site of the atom are cut, those that it
//! changes are changed, and the exchange of both joins (s; R, j) with (j; -R, s).
//!
//! **Transport.** For displacements d_a on the bonds, each bond taken once,
//!
//! L_ab = sum c d_a d_b - q_a A^-1 q_b, q_a(x) = sum_y c(x, y) d_a(x, y)
//!
//! (R. Kubo's formula for a reversible jump process). A function of the state may be added to the displacement without a change of L: the vacancy is given the
//! position x + chi(j) for which its drift in the perfect crystal vanishes, so that q lives on the few states S at the ends of changed bonds.
//!
//! **Solution.** A = A0 + dA with A0 that of the perfect crystal and dA of finite support. With u = q - dA phi,
//!
//! phi = g u + C_s on every block, u + dA (g u + C) = q, sum of u over every block = 0.
//!
//! The constants C_s and the last line say that no net current flows to infinity within a block: in a periodic box of any size each block conserves what it is
//! given, and the boxes' limit is wanted. With it the kernel g is needed up to a constant only, so that two dimensions (where the walk returns for sure and the
//! Green function diverges) and one are treated as three:
//!
//! g_ij(R) = int dk/(2 pi)^d Re [ e^(ikR) G_ij(k) - G_00(k) ], G = L(k)^-1,
//!
//! the potential kernel (F. Spitzer, Principles of Random Walk, sections 12 and 28). In one dimension an atom between two rows of others cannot be passed, and
//! the system gives D* = 0 (single file); ladders of several rows come out as they are.
//!
//! The coefficients follow as L_ab = sum of d_a j_b over the changed bonds, j_b = dc (d_b - phi_b(start) + phi_b(end)). Currents of fast bonds are unknowns beside u, so that
//! nothing cancels however fast the atom exchanges.
//!
//! **Quadrature.** With the sum over sublattices taken out first, L(k) becomes (s0, b; b*, K) with s0 = O(k^2), b = O(k), all entries free of cancellation, and
//! G = 1/s + terms in h/s and h h*/s with s = s0 - b K^-1 b*, h = K^-1 b. The zone is cut into pyramids with their tips at k = 0,
//! k = u (1, v, w) in fractional coordinates: u^(d-1) times the integrand is analytic there, tip and faces included, and Gauss-Legendre points converge
//! exponentially (a substitution of the Duffy kind in place of the subtracted pole of D. R. Trinkle, Phil. Mag. 97, 2514 (2017)). Anisotropy r moves the poles in v and w to a
//! distance of r^(-1/2); v = v0 + eta sinh t puts them at a distance of order 1/ln r. The order is raised until the transport coefficients stay.
//!
//! Checked against M. Koiwa, S. Ishioka, Phil. Mag. A 47, 927 (1983) and J. Stat. Phys. 30, 477 (1983); G. L. Montet, Phys. Rev. B 7, 650 (1973); and periodic boxes.

mod crystal;
mod kernel;
mod transport;

pub use crystal::{VacancyCrystal, VacancyHop};
pub use transport::{DiluteTransport, ShellHop, TaggedAtom, dilute_transport};
