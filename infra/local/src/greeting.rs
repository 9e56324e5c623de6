//! What the local run says at its start: where it is, and whom it speaks to.

use domain::platform::{PlatformAddresses, PlatformName};
use local::LocalService;

/// Where the frontend is and where each platform is, a line each.
pub(crate) fn partners(service: &LocalService) -> String {
    let mut lines = vec![format!("Frontend: {}", service.frontend_url())];
    if !is_same_site(service.frontend_url().host_str()) {
        lines.push("  It is on another site than localhost: browsers send its calls without the session's cookie.".to_owned());
    }
    lines.extend(platforms(service.platforms(), service.base_url()));
    lines.join("\n")
}

fn is_same_site(host: Option<&str>) -> bool {
    host.is_some_and(|host| host == "localhost" || host.ends_with(".localhost"))
}

fn platforms(addresses: &PlatformAddresses, base_url: &str) -> Vec<String> {
    let simulator = format!("{base_url}/_sim/");
    let is_simulated = |url: &str| url.starts_with(&simulator);
    let line = |platform: PlatformName| {
        let of_it = addresses.hosts().filter(|(of, ..)| *of == platform);
        let host =
            |(_, key, url): (_, &str, &url::Url)| format!("{key} {url}{}", if is_simulated(url.as_str()) { " (simulated)" } else { "" });
        let servers = addresses.servers(platform).map(|base| host((platform, "servers", base)));
        let servers = servers.or_else(|| platform.descriptor().has_named_hosts().then(|| "each server at its own name".to_owned()));
        let version = addresses.versions().filter(|(of, _)| *of == platform).map(|(_, version)| version.to_owned());
        format!("{}: {}", platform.descriptor().display_name, of_it.map(host).chain(servers).chain(version).collect::<Vec<_>>().join(", "))
    };
    let mut lines: Vec<_> = PlatformName::ALL.into_iter().map(line).collect();
    if addresses.hosts().any(|(_, _, url)| !is_simulated(url.as_str())) {
        lines.push(format!("  Our app's credentials are the simulated ones everywhere: {}.", simulator::APP_CLIENT_ID));
    }
    lines
}

#[cfg(test)]
mod tests {
    use domain::platform::API;
    use url::Url;

    use super::*;

    #[test]
    fn each_platform_says_what_of_it_is_simulated() {
        let base = "http://localhost:3000";
        let simulated = PlatformAddresses::default().below(&Url::parse("http://localhost:3000/_sim").unwrap());
        let all = platforms(&simulated, base);
        assert_eq!(
            all[0],
            "X: api http://localhost:3000/_sim/x (simulated), authorize http://localhost:3000/_sim/x/i/oauth2/authorize (simulated)"
        );
        let mastodon = "Mastodon: servers http://localhost:3000/_sim/mastodon (simulated)";
        assert!(all.iter().any(|line| line == mastodon), "{all:?}");
        assert!(all.iter().any(|line| line.ends_with("servers http://localhost:3000/_sim/bluesky (simulated)")), "{all:?}");
        assert!(all[1].starts_with("Facebook: ") && all[1].ends_with(", v26.0") && all.len() == PlatformName::ALL.len(), "{all:?}");
        let real = platforms(&simulated.with_host(PlatformName::X, API, Url::parse("https://api.x.com").unwrap()), base);
        assert!(real[0].starts_with("X: api https://api.x.com/, authorize"), "{}", real[0]);
        assert!(real.last().unwrap().contains("credentials are the simulated ones"));
    }

    #[test]
    fn a_frontend_on_another_site_is_told_so() {
        assert!(is_same_site(Some("localhost")) && is_same_site(Some("app.localhost")));
        assert!(!is_same_site(Some("127.0.0.1")) && !is_same_site(Some("evillocalhost")) && !is_same_site(None));
    }
}
