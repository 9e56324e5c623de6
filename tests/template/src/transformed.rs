//! The transformed template, and the little that the rules need to read it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

/// A CloudFormation template as JSON.
#[derive(Debug, Clone)]
pub struct Template(pub Value);

/// A route of the HTTP API, followed to its function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// As API Gateway writes it, without the method: `/api/posts/{id}`, or `$default`.
    pub path: String,
    /// The methods that it takes: `ANY`, or one.
    pub method: String,
    /// The function that answers, by its logical id.
    pub function: String,
}

impl Template {
    /// Runs the SAM transform on `file`, with the Python in whose environment the SAM CLI is installed.
    pub fn transform(python: &Path, file: &Path) -> anyhow::Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/transform.py");
        let run = Command::new(python).arg(script).arg(file).output();
        let run =
            run.with_context(|| format!("running {}, which comes with the SAM CLI (README, \"Deploying\", step 1)", python.display()))?;
        ensure!(run.status.success(), "the SAM transform failed: {}", String::from_utf8_lossy(&run.stderr));
        Ok(Self(serde_json::from_slice(&run.stdout).context("reading what the SAM transform printed")?))
    }

    /// All resources of a type, by logical id.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let all = self.0["Resources"].as_object().into_iter().flatten();
        all.filter(move |(_, resource)| resource["Type"] == kind).map(|(name, resource)| (name.as_str(), resource))
    }

    /// A resource of a type, by logical id.
    pub fn resource(&self, kind: &str, name: &str) -> Option<&Value> {
        Some(&self.0["Resources"][name]).filter(|resource| resource["Type"] == kind)
    }

    /// The functions, by the binary that each runs.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        self.of_type("AWS::Lambda::Function").map(|(name, resource)| {
            let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap_or_default();
            (binary, name, resource)
        })
    }

    /// The default of a parameter, as CloudFormation passes it on: numbers are text.
    pub fn default_of(&self, parameter: &str) -> Option<String> {
        match &self.0["Parameters"][parameter]["Default"] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The routes of the HTTP API, each followed through its integration.
    pub fn routes(&self) -> anyhow::Result<Vec<Route>> {
        let routes = self.of_type("AWS::ApiGatewayV2::Route").map(|(name, resource)| {
            let properties = &resource["Properties"];
            let key = properties["RouteKey"].as_str().with_context(|| format!("{name} has no RouteKey"))?;
            let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
            let integration = properties["Target"]["Fn::Sub"].as_str().and_then(|target| target.strip_prefix("integrations/${"));
            let integration = integration.and_then(|target| target.strip_suffix('}')).with_context(|| format!("{name} has no Target"))?;
            let integration = self.resource("AWS::ApiGatewayV2::Integration", integration);
            let function = integration.and_then(|found| target_of(&found["Properties"]["IntegrationUri"]));
            let function = function.with_context(|| format!("{name} leads to no function"))?;
            Ok(Route { path: path.to_owned(), method: method.to_owned(), function: function.to_owned() })
        });
        routes.collect()
    }
}

/// The logical id that a `Ref`, or a `Fn::GetAtt`, points at.
pub fn target_of(value: &Value) -> Option<&str> {
    let attribute = || match &value["Fn::GetAtt"] {
        Value::Array(parts) => parts.first().and_then(Value::as_str),
        Value::String(path) => path.split('.').next(),
        _ => None,
    };
    value["Ref"].as_str().or_else(attribute)
}

/// A value that may stand alone or in a list, as a list.
pub fn listed(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}
