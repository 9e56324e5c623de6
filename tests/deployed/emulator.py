"""Starts the AWS emulator ministack (1.5.33) with seven of its flaws mended, where AWS does what the product counts on:

- CreateSecret calls the first version by the ClientRequestToken, and the same call again changes nothing (Secrets Manager API
  reference, CreateSecret). The emulator makes up a name for the version.
- A CloudFormation parameter of type Number reaches an event source mapping as a number. The emulator passes the text on, and the
  poller of its queues stumbles over it.
- A schedule's resource name carries its group. The emulator asks for permission on the group `default`, whatever the call says.
- SendMessageBatch is allowed by `sqs:SendMessage` (Service Authorization Reference, Amazon SQS). The emulator asks for an action that
  IAM does not know.
- CloudFormation makes up another name for a resource of another stack, also where that stack has the name of one that was deleted. The
  emulator makes up the same name again, and a table of it takes the place of the one that was kept.
- An alarm can read a query (CloudFormation reference, AWS::CloudWatch::Alarm, Metrics). The emulator takes none; here it keeps one that reads
  a metric that nobody counts, and looks at no alarm anyway.
- A secret can be imported into a stack, by its `Id` (CloudFormation User Guide, resource type support). The emulator cannot.
"""

import json

from ministack.app import main
from ministack.core import iam_actions
from ministack.services import cloudformation, lambda_svc, secretsmanager
from ministack.services.cloudformation import provisioners

create_secret = secretsmanager._create_secret
concurrency = lambda_svc._sqs_esm_concurrency
resource_name = iam_actions.extract_resource_arn
action = iam_actions.extract_iam_action
made_up_name = provisioners._physical_name
alarm_record = provisioners._cw_metric_alarm_record


def create_secret_under_its_token(data):
    name, token = data.get("Name"), data.get("ClientRequestToken")
    if name in secretsmanager._secrets:
        secret = secretsmanager._secrets[name]
        version = secret["Versions"].get(token)
        if version and version.get("SecretString") == data.get("SecretString"):
            return answer(200, {"ARN": secret["ARN"], "Name": name, "VersionId": token})
    status, headers, body = create_secret(data)
    if status != 200 or not token:
        return status, headers, body
    made = json.loads(body)
    versions = secretsmanager._secrets[name]["Versions"]
    versions[token] = versions.pop(made["VersionId"])
    return answer(200, {**made, "VersionId": token})


def answer(status, body):
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body).encode()


def concurrency_as_a_number(esm, *rest):
    scaling = esm.get("ScalingConfig") or {}
    if "MaximumConcurrency" in scaling:
        scaling["MaximumConcurrency"] = int(scaling["MaximumConcurrency"])
    return concurrency(esm, *rest)


def resource_name_with_its_group(service, method, path, headers, body, query_params, *rest):
    name = resource_name(service, method, path, headers, body, query_params, *rest)
    if service != "scheduler" or ":schedule/default/" not in name:
        return name
    told = json.loads(body).get("GroupName") if body else (query_params.get("groupName") or [None])[0]
    return name.replace(":schedule/default/", f":schedule/{told or 'default'}/")


def action_without_its_batch(*arguments, **named):
    asked = action(*arguments, **named)
    return "sqs:SendMessage" if asked == "sqs:SendMessageBatch" else asked


def name_of_its_own_stack(stack_name, logical_id, **options):
    stack = cloudformation._stacks.get(stack_name) or {}
    before = provisioners._NAME_SEED.set(f"{provisioners._NAME_SEED.get()}{stack.get('StackId', '')}")
    try:
        return made_up_name(stack_name, logical_id, **options)
    finally:
        provisioners._NAME_SEED.reset(before)


def alarm_that_may_read_a_query(name, properties):
    if "Metrics" not in properties:
        return alarm_record(name, properties)
    rest = {key: value for key, value in properties.items() if key != "Metrics"}
    of_nobody = {"Namespace": "Nobody", "MetricName": "queried", "Statistic": "Average", "Period": 3600}
    return alarm_record(name, {**rest, **of_nobody})


def import_secret(identifier):
    arn = identifier["Id"]
    name = next(name for name, secret in secretsmanager._secrets.items() if secret["ARN"] == arn)
    return name, {"Id": arn, "Arn": arn}


secretsmanager._create_secret = create_secret_under_its_token
lambda_svc._sqs_esm_concurrency = concurrency_as_a_number
iam_actions.extract_resource_arn = resource_name_with_its_group
iam_actions.extract_iam_action = action_without_its_batch
provisioners._physical_name = name_of_its_own_stack
provisioners._cw_metric_alarm_record = alarm_that_may_read_a_query
provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]["import"] = import_secret

if __name__ == "__main__":
    main()
