"""Prints the CloudFormation template that the SAM transform makes of a SAM template, as JSON.

The transform is the one that CloudFormation itself runs (aws-sam-translator, which comes with the SAM CLI), with the parameters'
default values. Nothing is sent anywhere.
"""

import json
import os
import sys

from samtranslator.parser import parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# The transform asks for the Region to choose the partition; it makes no call.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        template = yaml_parse(file.read())
    functions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::Function"]
    for function in functions:
        # What `sam package` puts in the place of the local folder.
        function["Properties"]["CodeUri"] = "s3://packaged/by-sam"
    metadata = {name: r.get("Metadata") for name, r in template["Resources"].items()}
    defaults = {name: p["Default"] for name, p in template.get("Parameters", {}).items() if "Default" in p}
    transformed = Translator({}, parser.Parser()).translate(template, defaults)
    # The transform drops how a function is built; the checks compare it with the folders.
    for name, resource in transformed["Resources"].items():
        if metadata.get(name):
            resource.setdefault("Metadata", {}).update(metadata[name])
    json.dump(transformed, sys.stdout, indent=1, default=str)


main()
