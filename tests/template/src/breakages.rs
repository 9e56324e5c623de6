//! Ways to break the template, and the rule that must notice each: a check that cannot fail is worth nothing.

use serde_json::{Value, json};

/// One way.
pub(crate) struct Breakage {
    /// What is done.
    pub(crate) what: &'static str,
    /// A part of the name of the rule that must notice.
    pub(crate) noticed_by: &'static str,
    /// The section of the template that it is done to.
    pub(crate) section: &'static str,
    /// Does it to that section.
    pub(crate) change: fn(&mut Value),
}

const fn breakage(what: &'static str, noticed_by: &'static str, change: fn(&mut Value)) -> Breakage {
    Breakage { what, noticed_by, section: "Resources", change }
}

const fn of_conditions(what: &'static str, noticed_by: &'static str, change: fn(&mut Value)) -> Breakage {
    Breakage { what, noticed_by, section: "Conditions", change }
}

const fn of_parameters(what: &'static str, noticed_by: &'static str, change: fn(&mut Value)) -> Breakage {
    Breakage { what, noticed_by, section: "Parameters", change }
}

fn remove(value: &mut Value, key: &str) {
    value.as_object_mut().expect("an object to break").remove(key).expect("something to remove");
}

/// The statements of the first policy of a role.
fn statements<'a>(resources: &'a mut Value, role: &str) -> &'a mut Vec<Value> {
    resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].as_array_mut().expect("statements to break")
}

/// All of them.
pub(crate) const BREAKAGES: &[Breakage] = &[
    breakage("a function is gone", "folder in functions/", |all| remove(all, "SweeperFunction")),
    breakage("a function runs another's binary", "folder in functions/", |all| {
        all["SweeperFunction"]["Metadata"]["BuildProperties"]["Binary"] = json!("posts");
    }),
    breakage("a function logs text", "logs JSON", |all| all["PostsFunction"]["Properties"]["LoggingConfig"]["LogFormat"] = json!("Text")),
    breakage("a log group keeps everything", "logs JSON", |all| remove(&mut all["PostsLogs"]["Properties"], "RetentionInDays")),
    breakage("a variable is not set", "variable", |all| {
        remove(&mut all["PostsFunction"]["Properties"]["Environment"]["Variables"], "PUBLISH_QUEUE_URL");
    }),
    breakage("a variable is misspelt", "variable", |all| {
        let variables = &mut all["AccountFunction"]["Properties"]["Environment"]["Variables"];
        variables["LEDGER_TABEL"] = variables["LEDGER_TABLE"].take();
    }),
    breakage("a variable that nobody reads is set", "variable", |all| {
        all["SweeperFunction"]["Properties"]["Environment"]["Variables"]["SPARE"] = json!("1");
    }),
    breakage("a variable holds what the code refuses", "variable", |all| {
        all["OauthStartFunction"]["Properties"]["Environment"]["Variables"]["PLATFORM_ADDRESSES"] = json!("x.api=http://api.x.com");
    }),
    breakage("a country is none", "variable", |all| {
        all["OnboardingFunction"]["Properties"]["Environment"]["Variables"]["CODE_COUNTRIES"] = json!("DE,UK");
    }),
    breakage("a pace is none that the code knows", "variable", |all| {
        all["AnalyticsSyncFunction"]["Properties"]["Environment"]["Variables"]["METRICS_PACE"] = json!("x=0");
    }),
    of_parameters("a platform has no pace", "paced for known platforms", |all| {
        all["MetricsPace"]["AllowedPattern"] = json!("^((\\*|x)=(off|[1-6])(,(\\*|x)=(off|[1-6]))*)?$");
    }),
    of_parameters("a refused pace names one platform less", "paced for known platforms", |all| {
        all["MetricsPace"]["ConstraintDescription"] = json!("must be empty, or entries such as x=off.");
    }),
    of_parameters("a platform is not offered", "every platform is offered", |all| all["Platforms"]["Default"] = json!("x")),
    breakage("a route is gone", "route", |all| remove(all, "PostsByIdApproveRoute")),
    breakage("a route is misspelt", "route", |all| all["QuotaRoute"]["Properties"]["RouteKey"] = json!("ANY /api/qouta")),
    breakage("a route leads to another function", "route", |all| {
        all["QuotaRoute"]["Properties"]["Target"] = json!({ "Fn::Sub": "integrations/${PostsIntegration}" });
    }),
    breakage("a route takes one method", "route", |all| all["QuotaRoute"]["Properties"]["RouteKey"] = json!("GET /api/quota")),
    breakage("a route belongs to no API", "route", |all| remove(&mut all["QuotaRoute"]["Properties"], "ApiId")),
    breakage("the API may not invoke a function", "route", |all| remove(all, "PostsPermission")),
    breakage("the API is not deployed", "gateway waits", |all| all["HttpApiStage"]["Properties"]["AutoDeploy"] = json!(false)),
    breakage("the API has no stage", "gateway waits", |all| remove(all, "HttpApiStage")),
    breakage("a job has no schedule", "schedules have no name", |all| remove(all, "QuotaResetFunctionEveryHour")),
    breakage("numbers have no schedule", "schedules have no name", |all| remove(all, "AnalyticsSyncFunctionEveryTenMinutes")),
    breakage("a job has one schedule less", "schedules have no name", |all| remove(all, "QuotaResetFunctionEveryNight")),
    breakage("a maker of schedules may not pass the role", "passed on", |all| {
        statements(all, "SweeperFunctionRole").retain(|statement| statement["Action"][0] != "iam:PassRole");
    }),
    breakage("the gateway gives up early", "gateway waits", |all| {
        all["AccountIntegration"]["Properties"]["TimeoutInMillis"] = json!(11_000);
    }),
    breakage("messages come back too early", "six times", |all| all["PublishQueue"]["Properties"]["VisibilityTimeout"] = json!(300)),
    breakage("a time-out grows", "six times", |all| all["PublisherFunction"]["Properties"]["Timeout"] = json!(90)),
    breakage("a time-out shrinks", "publish machine", |all| all["PublisherFunction"]["Properties"]["Timeout"] = json!(30)),
    breakage("the sweeper is cut off early", "its round", |all| all["SweeperFunction"]["Properties"]["Timeout"] = json!(45)),
    breakage("a job that keeps connections alive is cut off early", "its round", |all| {
        all["RenewalsFunction"]["Properties"]["Timeout"] = json!(60);
    }),
    breakage("grants have no schedule", "schedules have no name", |all| remove(all, "RenewalsFunctionEveryFiveMinutes")),
    breakage("nobody is told of grants that are near their end", "ends well", |all| remove(all, "GrantsLateAlarm")),
    breakage("grants that are due cannot be found", "keys and indexes", |all| {
        remove(&mut all["UsersTable"]["Properties"], "GlobalSecondaryIndexes");
    }),
    breakage("a batch is larger than what is worked on at once", "waits for another", |all| {
        all["PublisherMapping"]["Properties"]["BatchSize"] = json!(20);
    }),
    breakage("a batch fails as one", "one by one", |all| remove(&mut all["PublisherMapping"]["Properties"], "FunctionResponseTypes")),
    breakage("a queue sets nothing aside", "kept", |all| remove(&mut all["PublishQueue"]["Properties"], "RedrivePolicy")),
    breakage("nobody watches the dead letters", "kept", |all| remove(all, "PublishDeadLettersAlarm")),
    breakage("nobody is told of cycles that are not closed", "ends well", |all| remove(all, "CycleFailuresAlarm")),
    breakage("an alarm reads a metric that nobody counts", "ends well", |all| {
        all["NumbersFailedAlarm"]["Properties"]["MetricName"] = json!("numbers_failures");
    }),
    breakage("nobody is told of posts that go out late", "ends well", |all| remove(all, "FacebookLateAlarm")),
    breakage("nobody is told that a platform takes nothing from our app", "ends well", |all| remove(all, "FacebookPausedAlarm")),
    breakage("nobody is told of what a reading was refused", "ends well", |all| remove(all, "XPausedByReadingAlarm")),
    breakage("an alarm on lateness reads posts of another end", "ends well", |all| {
        all["XLateAlarm"]["Properties"]["Dimensions"][2]["Value"] = json!("failed");
    }),
    breakage("an alarm reads another function's metric", "ends well", |all| {
        all["AuditFailuresAlarm"]["Properties"]["Dimensions"][0]["Value"] = json!("sweeper");
    }),
    breakage("nobody is told what texts cost", "texts that cost", |all| remove(all, "TextSpendAlarm")),
    breakage("what texts cost is added up twice", "texts that cost", |all| {
        all["TextSpendAlarm"]["Properties"]["Statistic"] = json!("Sum");
    }),
    breakage("nobody is told of texts that do not arrive", "texts that cost", |all| remove(all, "TextsUndeliveredAlarm")),
    breakage("others than SNS send texts in a function's name", "nothing is allowed on everything", |all| {
        let of_role = statements(all, "OnboardingFunctionRole");
        let sending = of_role.iter_mut().find(|statement| statement["Action"][0] == "sms-voice:SendTextMessage");
        remove(sending.expect("a statement on texts"), "Condition");
    }),
    breakage("a schedule has a name", "schedules have no name", |all| {
        all["SweeperFunctionEveryMinute"]["Properties"]["Name"] = json!("SweeperFunctionEveryMinute");
    }),
    breakage("a schedule has no dead letters", "schedules have no name", |all| {
        remove(&mut all["QuotaResetFunctionEveryHour"]["Properties"]["Target"], "DeadLetterConfig");
    }),
    breakage("a table has no point-in-time recovery", "must live", |all| {
        remove(&mut all["LedgerTable"]["Properties"], "PointInTimeRecoverySpecification");
    }),
    breakage("a table that may go keeps its stack from going", "must live", |all| {
        all["SessionsTable"]["Properties"]["DeletionProtectionEnabled"] = json!(true);
    }),
    breakage("a job runs at another rate than it counts on", "schedules have no name", |all| {
        all["SweeperFunctionEveryMinute"]["Properties"]["ScheduleExpression"] = json!("rate(2 minutes)");
    }),
    breakage("a table goes with the stack", "must live", |all| all["PostsTable"]["DeletionPolicy"] = json!("Delete")),
    breakage("a table stays when its first deploy fails", "must live", |all| all["PostsTable"]["DeletionPolicy"] = json!("Retain")),
    breakage("a first deploy that fails cannot take a table back", "must live", |all| {
        all["LedgerTable"]["Properties"]["DeletionProtectionEnabled"] = json!(true);
    }),
    breakage("the hash key has a name", "taken already", |all| {
        all["HashKey"]["Properties"]["Name"] = json!({ "Fn::Sub": "postledger/${Stage}/hash-key" });
    }),
    breakage("a queue has a name", "taken already", |all| all["PublishQueue"]["Properties"]["QueueName"] = json!("publish")),
    breakage("something may need a name of its own", "taken already", |all| {
        all["Topic"] = json!({ "Type": "AWS::SNS::Topic" });
    }),
    breakage("the hash key goes with the stack", "must live", |all| remove(&mut all["HashKey"], "UpdateReplacePolicy")),
    breakage("an index lacks an attribute", "keys and indexes", |all| {
        all["PostsTable"]["Properties"]["GlobalSecondaryIndexes"][1]["Projection"]["NonKeyAttributes"] =
            json!(["user_id", "version", "status"]);
    }),
    breakage("a table cannot be warmed", "can be warmed", |all| remove(&mut all["LedgerTable"]["Properties"], "WarmThroughput")),
    breakage("an index stays cold", "can be warmed", |all| {
        all["PostsTable"]["Properties"]["GlobalSecondaryIndexes"][2]["WarmThroughput"] = json!({ "ReadUnitsPerSecond": 12_000 });
    }),
    breakage("a unit is sent that stands at its default", "can be warmed", |all| {
        all["UsersTable"]["Properties"]["WarmThroughput"]["Fn::If"][1]["WriteUnitsPerSecond"] = json!({ "Ref": "WarmWriteUnits" });
    }),
    breakage("writes alone cannot be raised", "can be warmed", |all| {
        all["PostsTable"]["Properties"]["WarmThroughput"]["Fn::If"][2] = json!({ "Ref": "AWS::NoValue" });
    }),
    of_conditions("a unit counts as raised at its default", "can be warmed", |all| {
        all["WritesAreWarmed"]["Fn::Not"][0]["Fn::Equals"][1] = json!("3000");
    }),
    breakage("a table keeps what it should forget", "keys and indexes", |all| {
        remove(&mut all["SessionsTable"]["Properties"], "TimeToLiveSpecification");
    }),
    breakage("a role may be passed to anybody", "passed on", |all| {
        for statement in statements(all, "PostsFunctionRole") {
            statement.as_object_mut().expect("a statement").remove("Condition");
        }
    }),
    breakage("every role may be passed", "passed on", |all| {
        let passing = statements(all, "SweeperFunctionRole").iter_mut().find(|statement| statement["Action"][0] == "iam:PassRole");
        passing.expect("a statement that passes a role")["Resource"] = json!("*");
    }),
    breakage("a table may be used in every way", "nothing is allowed on everything", |all| {
        statements(all, "PostsFunctionRole")[0]["Action"] = json!("dynamodb:*");
    }),
    breakage("every secret may be read", "nothing is allowed on everything", |all| {
        statements(all, "PublisherFunctionRole")
            .push(json!({ "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": "*" }));
    }),
    breakage("an administrator's policy is attached", "nothing is allowed on everything", |all| {
        all["PostsFunctionRole"]["Properties"]["ManagedPolicyArns"] = json!(["arn:aws:iam::aws:policy/AdministratorAccess"]);
    }),
    breakage("a permission is gone", "grants.txt", |all| {
        statements(all, "AccountFunctionRole")[0]["Action"].as_array_mut().expect("actions to break").pop();
    }),
    breakage("the mapping may not read its queue", "grants.txt", |all| {
        statements(all, "PublisherFunctionRole").retain(|statement| statement["Action"][0] != "sqs:ReceiveMessage");
    }),
    breakage("a permission is on another table", "grants.txt", |all| {
        statements(all, "PublisherFunctionRole")[0]["Resource"] = json!({ "Fn::GetAtt": ["UsersTable", "Arn"] });
    }),
    breakage("a permission is misspelt", "only calls", |all| {
        statements(all, "PostsFunctionRole")[0]["Action"][0] = json!("dynamodb:BatchGetItems");
    }),
    breakage("anybody's schedule may take the role", "schedules' role belongs", |all| {
        remove(&mut all["ScheduleRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0], "Condition");
    }),
];
