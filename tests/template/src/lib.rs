//! Checks on `template.yaml` as CloudFormation will see it: after the SAM transform.
//!
//! A template is code that only fails in the cloud: a route without a function, a variable that nobody sets, an index that lacks an
//! attribute. The rules here compare it with what the functions' own code says: their paths, the variables that they read, the
//! tables that they use, the time that the publish machine counts on.

pub mod product;
pub mod rules;
pub mod transformed;

pub use product::Product;
pub use transformed::Template;
