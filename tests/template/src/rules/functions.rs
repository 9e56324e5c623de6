//! Functions: one for each folder, with logs and variables.

use std::collections::{BTreeMap, BTreeSet};

use domain::platform::PlatformName;
use serde_json::Value;

use crate::transformed::target_of;
use crate::{Product, Template};

pub(super) fn match_folders(template: &Template, product: &Product) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for (binary, name, resource) in template.functions() {
        if !product.folders.contains(binary) {
            faults.push(format!("{name} runs {binary:?}, and there is no such folder in functions/"));
        }
        if !seen.insert(binary.to_owned()) {
            faults.push(format!("{binary} has more than one function"));
        }
        let properties = &resource["Properties"];
        if properties["Runtime"] != "provided.al2023" || properties["Handler"] != "bootstrap" {
            faults.push(format!("{name} does not run a binary on provided.al2023"));
        }
    }
    let known: BTreeSet<_> = product.functions.iter().map(|function| function.name.to_owned()).collect();
    faults.extend(product.folders.difference(&seen).map(|folder| format!("functions/{folder} has no function in the template")));
    faults.extend(product.folders.difference(&known).map(|folder| format!("functions/{folder} is not known to these checks")));
    faults
}

pub(super) fn log_into_a_group(template: &Template, _: &Product) -> Vec<String> {
    let kept = |group: &Value| {
        let group = target_of(group).and_then(|group| template.resource("AWS::Logs::LogGroup", group));
        group.is_some_and(|group| !group["Properties"]["RetentionInDays"].is_null())
    };
    let faulty = template.functions().filter(|(_, _, resource)| {
        let logging = &resource["Properties"]["LoggingConfig"];
        logging["LogFormat"] != "JSON" || !kept(&logging["LogGroup"])
    });
    faulty.map(|(_, name, _)| format!("{name} has no JSON log group with a retention")).collect()
}

pub(super) fn have_their_variables(template: &Template, product: &Product) -> Vec<String> {
    let mut faults = Vec::new();
    for function in &product.functions {
        let Some((_, name, resource)) = template.functions().find(|(binary, _, _)| *binary == function.name) else { continue };
        let variables = resource["Properties"]["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
        let set: BTreeSet<_> = variables.keys().cloned().collect();
        let values: BTreeMap<_, _> = variables.iter().map(|(name, value)| (name.clone(), plausible(template, name, value))).collect();
        let (read, refusal) = function.variables_read(move |name| values.get(name).cloned());
        faults.extend(read.difference(&set).map(|variable| format!("{name} does not set {variable}, which its code reads")));
        faults.extend(set.difference(&read).map(|variable| format!("{name} sets {variable}, which its code never reads")));
        if let Some(error) = refusal {
            faults.push(format!("{name} does not start on what the template gives it: {error:#}"));
        }
    }
    faults
}

/// A platform that nobody knows is refused with the parameter, and not by a function that does not start.
pub(super) fn are_asked_of_known_platforms(template: &Template, _: &Product) -> Vec<String> {
    let of_pace = |what: &str| template.0["Parameters"]["MetricsPace"][what].as_str().unwrap_or_default();
    let names = PlatformName::ALL.map(PlatformName::as_str);
    let (pattern, told) = (of_pace("AllowedPattern"), of_pace("ConstraintDescription"));
    let known = format!("(\\*|{})=", names.join("|"));
    let is_held = pattern.matches(&known).count() == 2;
    let mut faults: Vec<_> =
        (!is_held).then(|| format!("MetricsPace takes {pattern}, and the platforms are {known}")).into_iter().collect();
    let known = format!("{} or *", names.join(", "));
    if !told.contains(&known) {
        faults.push(format!("MetricsPace says {told:?} where it refuses, and the platforms are {known}"));
    }
    faults
}

/// What the adapters are there for is offered, unless an operator says otherwise.
pub(super) fn are_all_offered(template: &Template, _: &Product) -> Vec<String> {
    let (offered, all) = (template.default_of("Platforms").unwrap_or_default(), PlatformName::ALL.map(PlatformName::as_str).join(","));
    (offered != all).then(|| format!("Platforms is {offered:?} unless told otherwise, and the platforms are {all:?}")).into_iter().collect()
}

/// What the cloud would put in the place of a value: a parameter's default, or something of the kind that the name says.
fn plausible(template: &Template, name: &str, value: &Value) -> String {
    let literal = value.as_str().map(str::to_owned).or_else(|| template.default_of(value["Ref"].as_str()?));
    match literal {
        Some(value) => value,
        None if name.ends_with("_ARN") => "arn:aws:sqs:us-east-1:000000000000:some".to_owned(),
        None if name.ends_with("_URL") || name.ends_with("_ORIGINS") => "https://some.example.com".to_owned(),
        None => "some".to_owned(),
    }
}
