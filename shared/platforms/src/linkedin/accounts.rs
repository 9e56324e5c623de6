//! The accounts that a consent lets us act for: the organizations where the person may post, and the person.
//! See <https://learn.microsoft.com/linkedin/marketing/community-management/organizations/organization-access-control-by-role>.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::platform::AccountKind;
use domain::token::TokenSet;
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::LinkedIn;
use super::errors::judge;
use super::paging::{COUNT, Paging};
use super::urn::{self, ORGANIZATION, PERSON};
use crate::http::{Answer, CALL_TIMEOUT, SendError};
use crate::verdict::Class;
use crate::{ExchangeError, GrantedAccount, address, detail};

/// What posting for an organization needs, and reading back what was posted there.
const ORGANIZATION_SCOPES: [&str; 2] = ["w_organization_social", "r_organization_social"];

/// What telling the organizations needs: one of these.
const LIST_SCOPES: [&str; 2] = ["r_organization_admin", "rw_organization_admin"];

/// Who may post for an organization. LinkedIn's manual writes the second one both ways.
const POSTING_ROLES: [&str; 3] = ["ADMINISTRATOR", "CONTENT_ADMINISTRATOR", "CONTENT_ADMIN"];

/// Somebody with more roles than these calls tell is offered the first ones.
const ROLE_CALLS_MAX: usize = 10;

/// A token that was just made is unknown to some servers for seconds; so long the list waits for it, once.
const TOKEN_SETTLES: Duration = Duration::from_millis(1_500);

/// The browser waits meanwhile, and the person's own account is known.
const ORGANIZATIONS_TIMEOUT: Duration = Duration::from_secs(8);

#[derive(Deserialize)]
pub(super) struct Person {
    sub: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Roles {
    elements: Vec<Acting>,
    #[serde(default)]
    paging: Paging,
}

#[derive(Deserialize)]
struct Acting {
    organization: String,
    role: String,
    state: String,
}

/// By id.
#[derive(Deserialize)]
struct Organizations {
    results: BTreeMap<String, Organization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Organization {
    localized_name: Option<String>,
}

impl LinkedIn {
    /// Whose tokens these are.
    pub(super) async fn person(&self, tokens: &TokenSet) -> Result<Person, ExchangeError> {
        let request = self.http.request(Method::GET, address::join(&self.api_url, &["v2", "userinfo"]));
        let answer = answered(self.http.send(request.bearer_auth(tokens.access.expose_secret()), CALL_TIMEOUT).await)?;
        let person = answer.json::<Person>().filter(|person| urn::of(PERSON, &person.sub).is_some());
        person.ok_or_else(|| ExchangeError::Unavailable { detail: detail::of_answer(answer.status.as_u16(), &[Some("userinfo")]) })
    }

    /// All accounts of the consent, the person's own first. Organizations that LinkedIn does not let us list keep nobody from their own account.
    /// Those that cannot be read now do: who came for an organization would be connected as themselves, without a word.
    pub(super) async fn accounts(&self, person: &Person, tokens: &TokenSet) -> Result<Vec<GrantedAccount>, ExchangeError> {
        let has = |scope: &&str| tokens.scopes.iter().any(|granted| granted == scope);
        let mut accounts: Vec<_> = person.account().into_iter().collect();
        if LIST_SCOPES.iter().any(has) && has(&ORGANIZATION_SCOPES[0]) {
            let read = tokio::time::timeout(ORGANIZATIONS_TIMEOUT, self.organizations(tokens)).await;
            match read.unwrap_or_else(|_| Err(ExchangeError::Unavailable { detail: "the organizations took too long".into() })) {
                Ok(organizations) => accounts.extend(organizations),
                Err(ExchangeError::Refused { detail }) => {
                    tracing::warn!(detail, "a person's organizations may not be listed; their own account is offered");
                }
                Err(error) => return Err(error),
            }
        }
        let missing: Vec<String> = ORGANIZATION_SCOPES.iter().filter(|scope| !has(scope)).map(|scope| (*scope).to_owned()).collect();
        Ok(accounts.into_iter().map(|found| found.granted(&person.sub, tokens, &missing)).collect())
    }

    async fn organizations(&self, tokens: &TokenSet) -> Result<Vec<Found>, ExchangeError> {
        let ids = self.posting_ids(tokens).await?;
        let mut names = BTreeMap::new();
        for ids in ids.chunks(COUNT) {
            names.extend(self.names(tokens, ids).await);
        }
        Ok(ids.into_iter().filter_map(|id| Found::new(ORGANIZATION, &id, names.remove(&id).flatten())).collect())
    }

    /// The organizations where the person may post, in LinkedIn's order.
    async fn posting_ids(&self, tokens: &TokenSet) -> Result<Vec<String>, ExchangeError> {
        let (mut ids, mut known, mut start) = (Vec::new(), BTreeSet::new(), 0);
        for _ in 0..ROLE_CALLS_MAX {
            let query = format!("q=roleAssignee&state=APPROVED&count={COUNT}&start={start}");
            let request = || self.call(Method::GET, self.resource("organizationAcls", &query), tokens, Some("FINDER"));
            let mut sent = self.http.send(request(), CALL_TIMEOUT).await;
            if matches!(&sent, Ok(answer) if answer.status == StatusCode::UNAUTHORIZED) {
                // These tokens were made a moment ago, and not every one of LinkedIn's servers knows them yet.
                tokio::time::sleep(TOKEN_SETTLES).await;
                sent = self.http.send(request(), CALL_TIMEOUT).await;
            }
            let answer = answered(sent)?;
            let unreadable = || ExchangeError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable roles")]) };
            let Roles { elements, paging } = answer.json().ok_or_else(unreadable)?;
            ids.extend(elements.iter().filter_map(Acting::posting_id).filter(|id| known.insert((*id).to_owned())).map(str::to_owned));
            match paging.next(start, elements.len()) {
                Some(next) => start = next,
                None => return Ok(ids),
            }
        }
        tracing::warn!("a person has more organizations than are read; the first ones are offered");
        Ok(ids)
    }

    /// The names of these. One whose name is not told goes by its id: a name is no reason to leave it out.
    async fn names(&self, tokens: &TokenSet, ids: &[String]) -> BTreeMap<String, Option<String>> {
        let url = self.resource("organizations", &format!("ids=List({})", ids.join(",")));
        let sent = self.http.send(self.call(Method::GET, url, tokens, Some("BATCH_GET")), CALL_TIMEOUT).await;
        let told = answered(sent).ok().and_then(|answer| answer.json::<Organizations>());
        if told.is_none() {
            tracing::warn!("the names of a person's organizations were not read");
        }
        let results = told.map(|told| told.results).unwrap_or_default();
        results.into_iter().map(|(id, organization)| (id, organization.localized_name)).collect()
    }
}

impl Acting {
    /// The organization's id, if the role lets the person post for it.
    fn posting_id(&self) -> Option<&str> {
        let (kind, id) = urn::parts(&self.organization)?;
        let may_post = self.state == "APPROVED" && POSTING_ROLES.contains(&self.role.as_str());
        (may_post && kind == ORGANIZATION).then_some(id)
    }
}

/// An account, before it is given the tokens.
struct Found {
    id: String,
    name: String,
    kind: AccountKind,
}

impl Found {
    fn new(kind: &str, id: &str, name: Option<String>) -> Option<Self> {
        let name = name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| id.to_owned());
        let kind_of = if kind == ORGANIZATION { AccountKind::Organization } else { AccountKind::Profile };
        Some(Self { id: urn::of(kind, id)?, name, kind: kind_of })
    }

    /// All accounts of a consent share its tokens, so whoever takes them back takes them from all.
    fn granted(self, sub: &str, tokens: &TokenSet, missing_of_organizations: &[String]) -> GrantedAccount {
        let Self { id: account_id, name: username, kind } = self;
        let missing_scopes = if kind == AccountKind::Organization { missing_of_organizations.to_vec() } else { Vec::new() };
        GrantedAccount { account_id, username, kind, grantor: Some(sub.to_owned()), server: None, tokens: tokens.clone(), missing_scopes }
    }
}

impl Person {
    fn account(&self) -> Option<Found> {
        Found::new(PERSON, &self.sub, Some(self.name.clone()))
    }
}

/// A success, or why there is none. A code works once, so nothing here is repeated; the person starts again.
fn answered(sent: Result<Answer, SendError>) -> Result<Answer, ExchangeError> {
    let answer = sent.map_err(|error| ExchangeError::Unavailable { detail: error.into_detail() })?;
    if answer.status.is_success() {
        return Ok(answer);
    }
    // The time only matters for limits, whose end is of no use here.
    let verdict = judge(&answer, jiff::Timestamp::UNIX_EPOCH);
    match verdict.class {
        Class::Rejected(_) => Err(ExchangeError::Refused { detail: verdict.detail }),
        // A token that was just made may be unknown for some seconds.
        Class::TokenRefused | Class::Duplicate | Class::Limited | Class::AppLimited | Class::Ambiguous => {
            Err(ExchangeError::Unavailable { detail: verdict.detail })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_may_post_for_an_organization_is_offered_it() {
        let roles: Roles = serde_json::from_str(
            r#"{"paging":{"start":0,"count":10,"links":[]},"elements":[
            {"role":"ADMINISTRATOR","organization":"urn:li:organization:1","roleAssignee":"urn:li:person:a","state":"APPROVED"},
            {"role":"CONTENT_ADMINISTRATOR","organization":"urn:li:organization:2","roleAssignee":"urn:li:person:a","state":"APPROVED"},
            {"role":"CONTENT_ADMIN","organization":"urn:li:organization:3","roleAssignee":"urn:li:person:a","state":"APPROVED"},
            {"role":"ANALYST","organization":"urn:li:organization:4","roleAssignee":"urn:li:person:a","state":"APPROVED"},
            {"role":"ADMINISTRATOR","organization":"urn:li:organization:5","roleAssignee":"urn:li:person:a","state":"REQUESTED"},
            {"role":"ADMINISTRATOR","organization":"urn:li:organizationBrand:6","roleAssignee":"urn:li:person:a","state":"APPROVED"},
            {"role":"DIRECT_SPONSORED_CONTENT_POSTER","organization":"urn:li:organization:7","roleAssignee":"urn:li:person:a","state":"APPROVED"}]}"#,
        )
        .unwrap();
        assert_eq!(roles.elements.iter().filter_map(Acting::posting_id).collect::<Vec<_>>(), ["1", "2", "3"]);
    }

    #[test]
    fn an_account_without_a_name_goes_by_its_id() {
        let named = |name: Option<&str>| Found::new(ORGANIZATION, "7", name.map(str::to_owned)).unwrap().name;
        assert_eq!((named(Some("Bakery")), named(Some(" ")), named(None)), ("Bakery".into(), "7".into(), "7".into()));
        assert!(Found::new(ORGANIZATION, "7:8", None).is_none());
    }

    #[test]
    fn a_token_that_is_too_new_is_no_refusal() {
        let of = |status, body| answered(Ok(Answer::recorded(status, &[], body))).err().unwrap();
        let denied = r#"{"serviceErrorCode":100,"code":"ACCESS_DENIED","message":"m","status":403}"#;
        assert!(matches!(of(403, denied), ExchangeError::Refused { .. }));
        for (status, body) in [(401, r#"{"serviceErrorCode":65601,"status":401}"#), (429, ""), (426, ""), (500, denied), (302, "")] {
            assert!(matches!(of(status, body), ExchangeError::Unavailable { .. }), "{status} {body}");
        }
    }
}
