//! Who a user is and how they prove it: phone numbers, codes, gift certificates, sessions and the OAuth flows they start.
//!
//! What a person shows us (a code, a certificate, a cookie, a state) is never stored: a hash of it is. What is short enough
//! to be guessed is hashed with a [`HashKey`]; what has 256 random bits needs none.

pub mod flow_end;
pub mod gift;
pub mod hash;
pub mod issuer;
pub mod limit;
pub mod oauth_flow;
mod pasted;
pub mod phone;
pub mod return_path;
pub mod session;
pub mod verification;

pub use flow_end::{FlowEnd, FlowError};
pub use gift::{GiftCertificate, GiftCode};
pub use hash::HashKey;
pub use issuer::Issuer;
pub use oauth_flow::{CodeVerifier, FlowState, OAuthFlow};
pub use phone::PhoneNumber;
pub use return_path::ReturnPath;
pub use session::{CsrfToken, Session, SessionToken};
pub use verification::{Challenge, SendHistory, VerificationCode};
