//! Doyle-Fuller-Newman cell model
