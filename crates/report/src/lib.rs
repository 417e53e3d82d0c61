//! The offline HTML report
