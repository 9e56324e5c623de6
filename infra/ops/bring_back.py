"""Takes what a deleted stack has kept, its tables and its hash key, into a stack again, by CloudFormation's import of resources.

    .venv/bin/python infra/ops/bring_back.py postledger-dev
    sam deploy

The stack that it makes holds nothing else; `sam deploy` adds the rest. Until a person has said yes, nothing is changed. Ends with 0 once
the import is complete, with 1 if something stood in its way, which it names, and with 2 if it was not understood. Needs the environment
that the SAM CLI is installed in, and AWS credentials as the SAM CLI does. The Region is that of AWS_DEFAULT_REGION, by which the SAM CLI
goes, or of AWS_REGION, or the profile's.
"""

import argparse
import itertools
import json
import os
import sys
import time
from pathlib import Path

try:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError, WaiterError
    from samtranslator.yaml_helper import yaml_parse
except ImportError as missing:
    sys.exit(f"{missing}: run it with .venv/bin/python, in which the SAM CLI is installed (README, \"Deploying\", step 1)")

TEMPLATE = Path(__file__).parent.parent.parent / "template.yaml"
# By what CloudFormation identifies a resource that it imports.
IDENTIFIED_BY = {"AWS::DynamoDB::Table": "TableName", "AWS::SecretsManager::Secret": "Id"}
# CloudFormation forgets a deleted stack after 90 days; a stack that was deployed a hundred times has some ten thousand events.
STACKS_MAX = 10_000
EVENTS_MAX = 100_000


class Refused(Exception):
    """What stands in the way, in words for the operator."""


def template_of_kept():
    """The part of the template that outlives a stack."""
    template = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    policies = ("Retain", "RetainExceptOnCreate")
    return {
        "Description": "What an earlier stack has kept. The next `sam deploy` adds the rest.",
        # The rest of the parameters is for the rest of the stack. A default is right enough here: an import changes no property.
        "Parameters": {name: each for name, each in template["Parameters"].items() if "Default" in each},
        "Conditions": template["Conditions"],
        "Resources": {name: each for name, each in template["Resources"].items() if each.get("DeletionPolicy") in policies},
    }


def deleted_stack(cloudformation, name, stack_id):
    """The id of the deleted stack that is meant."""
    if stack_id:
        return stack_id
    pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    stacks = itertools.islice((stack for page in pages for stack in page["StackSummaries"]), STACKS_MAX)
    ids = [f"{stack['StackId']} (deleted {stack.get('DeletionTime', 'at an unknown time')})" for stack in stacks if stack["StackName"] == name]
    if not ids:
        raise Refused(f"no stack {name} was deleted in this Region in the last 90 days")
    if len(ids) > 1:
        raise Refused("\n  ".join([f"{name} was deleted more than once; say with --stack-id which one is meant:", *ids]))
    return ids[0].split(" ")[0]


def kept_by(cloudformation, stack_id):
    """What a deleted stack has kept: type and physical id by logical id."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    events = itertools.islice((event for page in pages for event in page["StackEvents"]), EVENTS_MAX)
    kept = {}
    # The newest comes first: what an update replaced and kept lies further back.
    for event in events:
        if event["ResourceStatus"] == "DELETE_SKIPPED":
            kept.setdefault(event["LogicalResourceId"], (event["ResourceType"], event["PhysicalResourceId"]))
    return kept


def to_import(session, wanted, kept):
    """The resources as CloudFormation wants them named; refuses if one of those that the template keeps is not among them."""
    missing = sorted(name for name in wanted if name not in kept)
    if missing:
        raise Refused(f"the deleted stack has not kept {', '.join(missing)}")
    resources = []
    for name in wanted:
        kind, physical = kept[name]
        if kind == "AWS::SecretsManager::Secret":
            physical = session.client("secretsmanager").describe_secret(SecretId=physical)["ARN"]
        resources.append({"ResourceType": kind, "LogicalResourceId": name, "ResourceIdentifier": {IDENTIFIED_BY[kind]: physical}})
    return resources


def exists(cloudformation, name):
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return False
        raise
    return any(stack["StackStatus"] not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE") for stack in stacks)


def session_of_region():
    """boto3 itself does not read AWS_REGION."""
    return boto3.Session(region_name=os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or None)


def bring_back(session, arguments):
    print(f"Account {session.client('sts').get_caller_identity()['Account']}, Region {session.region_name}", flush=True)
    cloudformation = session.client("cloudformation")
    into = arguments.into or arguments.stack
    if exists(cloudformation, into):
        raise Refused(f"there is a stack {into} with tables of its own: `sam delete` it first, or name another with --into")
    template = template_of_kept()
    kept = kept_by(cloudformation, deleted_stack(cloudformation, arguments.stack, arguments.stack_id))
    resources = to_import(session, template["Resources"], kept)
    print(f"Into the stack {into}:")
    for resource in resources:
        print(f"  {resource['LogicalResourceId']}: {next(iter(resource['ResourceIdentifier'].values()))}")
    if not arguments.yes and not confirmed():
        raise Refused("nothing was changed")
    do_import(cloudformation, into, template, resources)
    print("Imported. `sam deploy` makes the rest of the stack.")


def confirmed():
    try:
        return input("Import them? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def do_import(cloudformation, into, template, resources):
    # Each run has its own: what an interrupted one has left is in nobody's way.
    named = {"StackName": into, "ChangeSetName": f"bring-back-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"}
    cloudformation.create_change_set(
        **named, ChangeSetType="IMPORT", TemplateBody=json.dumps(template), ResourcesToImport=resources
    )
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(**named, WaiterConfig={"Delay": 2, "MaxAttempts": 150})
    except WaiterError:
        reason = cloudformation.describe_change_set(**named).get("StatusReason", "no reason is given")
        cloudformation.delete_change_set(**named)
        raise Refused(f"CloudFormation refuses the import, and nothing was changed: {reason}") from None
    cloudformation.execute_change_set(**named)
    cloudformation.get_waiter("stack_import_complete").wait(StackName=into, WaiterConfig={"Delay": 2, "MaxAttempts": 450})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", help="the name of the stack that was deleted")
    parser.add_argument("--stack-id", help="its ARN, if there were several of the name")
    parser.add_argument("--into", help="the name of the stack to make, if it is to have another")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    try:
        bring_back(session_of_region(), parser.parse_args())
    except (Refused, BotoCoreError, ClientError, WaiterError) as error:
        sys.exit(f"error: {error}")


main()
