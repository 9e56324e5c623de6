//! Routes: what the API sends where.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::transformed::{Route, target_of};
use crate::{Product, Template};

/// API Gateway waits no longer than this.
const GATEWAY_WAITS_MS_MAX: u64 = 30_000;
/// What the gateway allows a function beyond its time-out, so that the function's own answer to a slow call still arrives.
const MARGIN_MS: u64 = 1_000;

pub(super) fn match_paths(template: &Template, product: &Product) -> Vec<String> {
    let routes = match template.routes() {
        Ok(routes) => routes,
        Err(error) => return vec![format!("{error:#}")],
    };
    let mut faults = Vec::new();
    let mut wanted = BTreeSet::new();
    for function in &product.functions {
        let logical = template.functions().find(|(binary, _, _)| *binary == function.name).map(|(_, logical, _)| logical);
        let Some(logical) = logical else { continue };
        for path in function.paths {
            // Any method: the function's own router answers 405 with Allow.
            wanted.insert(Route { path: (*path).to_owned(), method: "ANY".to_owned(), function: logical.to_owned() });
        }
        if !function.paths.is_empty() && !may_be_invoked(template, logical) {
            faults.push(format!("the API may not invoke {logical}"));
        }
    }
    for kind in ["AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Integration"] {
        let strangers = template.of_type(kind).filter(|(_, resource)| target_of(&resource["Properties"]["ApiId"]) != Some("HttpApi"));
        faults.extend(strangers.map(|(name, _)| format!("{name} is not of the HTTP API")));
    }
    let there: BTreeSet<_> = routes.into_iter().collect();
    faults.extend(wanted.difference(&there).map(|route| format!("no route {} {} to {}", route.method, route.path, route.function)));
    faults.extend(there.difference(&wanted).map(|route| format!("{} has no {} {}", route.function, route.method, route.path)));
    faults
}

fn may_be_invoked(template: &Template, function: &str) -> bool {
    template.of_type("AWS::Lambda::Permission").any(|(_, permission)| {
        let properties = &permission["Properties"];
        target_of(&properties["FunctionName"]) == Some(function)
            && properties["Action"] == "lambda:InvokeFunction"
            && properties["Principal"] == "apigateway.amazonaws.com"
            && properties["SourceArn"]["Fn::Sub"].as_str().is_some_and(|arn| arn.contains(":${HttpApi}/"))
    })
}

pub(super) fn wait_for_functions(template: &Template, _: &Product) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, integration) in template.of_type("AWS::ApiGatewayV2::Integration") {
        let properties = &integration["Properties"];
        if properties["PayloadFormatVersion"] != "2.0" || properties["IntegrationType"] != "AWS_PROXY" {
            faults.push(format!("{name} does not speak payload format 2.0"));
        }
        let function = target_of(&properties["IntegrationUri"]).and_then(|logical| template.resource("AWS::Lambda::Function", logical));
        let may_take_ms = function.and_then(|function| function["Properties"]["Timeout"].as_u64()).unwrap_or(u64::MAX / 1_000) * 1_000;
        let needed = may_take_ms.saturating_add(MARGIN_MS).min(GATEWAY_WAITS_MS_MAX);
        if properties["TimeoutInMillis"].as_u64().is_none_or(|waits| waits < needed) {
            faults.push(format!("{name} waits {} ms, and its function may need {needed}", properties["TimeoutInMillis"]));
        }
        if may_take_ms >= GATEWAY_WAITS_MS_MAX {
            faults.push(format!("the function of {name} may run on after the gateway has given up"));
        }
    }
    let live = template.of_type("AWS::ApiGatewayV2::Stage").filter(|(_, stage)| {
        let properties = &stage["Properties"];
        properties["StageName"] == "$default" && properties["AutoDeploy"] == true && target_of(&properties["ApiId"]) == Some("HttpApi")
    });
    if live.count() != 1 {
        faults.push("the API has no $default stage that deploys itself: nothing would answer".to_owned());
    }
    let stages = template.of_type("AWS::ApiGatewayV2::Stage");
    let unthrottled = stages.filter(|(_, stage)| stage["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"] == Value::Null);
    faults.extend(unthrottled.map(|(name, _)| format!("{name} has no limit on requests")));
    faults
}
