"""Starts the local service with a fresh folder, signs people up, lets Schemathesis loose on it, and stops it again.

Ends with 0 if every answer kept to the contract. Prints how many cases were run.
"""

import argparse
import html
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "contract"
CONTRACT = ROOT / "infra" / "openapi.json"
# What ends sessions would leave the rest of a run with nothing but 401: each has a run of its own, as another person, the logout last.
ENDS_SESSIONS = ["end_session", "log_out"]
# The shares of the whole time: the run of everything else, and each of those above. What is left is for starting and stopping.
SHARE_MAIN, SHARE_ENDING = 0.7, 0.08


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--long", action="store_true", help="half an hour, with many more cases for each operation")
    arguments.add_argument("--seconds", type=int, help="the time for all of it; 270 unless told otherwise, 1800 with --long")
    arguments.add_argument("--binary", default=str(target() / "debug" / "postledger"), help="the local service")
    arguments.add_argument("--reports", type=pathlib.Path, help="a folder for Schemathesis's own reports")
    options = arguments.parse_args()
    seconds = options.seconds or (1800 if options.long else 270)
    check_examples()
    # Told to end, it still takes down what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="contract-"))
    service = Service(options.binary, folder / "data")
    try:
        reports = options.reports or folder / "reports"
        main_person, leaving = Person(service.url, "+61412345678").settled(), Person(service.url, "+61412345679")
        examples = 1500 if options.long else 40
        # The stateful phase comes last, as it disconnects accounts and deletes posts.
        excluded = [option for name in ENDS_SESSIONS for option in ("--exclude-operation-id", name)]
        runs = [Run("everything that keeps the session", main_person, excluded, int(seconds * SHARE_MAIN))]
        for name in ENDS_SESSIONS:
            included = ["--include-operation-id", name, "--phases", "coverage,fuzzing"]
            runs.append(Run(name, leaving, included, int(seconds * SHARE_ENDING)))
        kept = [run.run(examples, reports) for run in runs]
        alive = service.is_alive()
    finally:
        service.stop()
        shutil.rmtree(folder)
    print(f"{sum(run.cases for run in runs)} cases in all")
    if not alive:
        print("the service stopped by itself", file=sys.stderr)
    sys.exit(0 if all(kept) and alive else 1)


def target():
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def check_examples():
    """Every example of the document is what its schema says."""
    import jsonschema_rs

    document = json.loads(CONTRACT.read_text())
    checked = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                for content in response.get("content", {}).values():
                    schema = {**content["schema"], "components": document["components"]}
                    validator = jsonschema_rs.Draft202012Validator(schema)
                    for name, example in content.get("examples", {}).items():
                        checked += 1
                        if not validator.is_valid(example["value"]):
                            sys.exit(f"{method} {path}: the example {name} of {status} is not what its schema says")
    print(f"{checked} examples are what their schemas say")


class Service:
    """The local service on a free port."""

    START_MAX = 60

    def __init__(self, binary, data):
        data.mkdir()
        self.output = open(data.parent / "output", "w+")
        self.process = subprocess.Popen([binary, "--port", "0", "--data", data], stdout=self.output, stderr=subprocess.STDOUT)
        self.url = self.wait()

    def wait(self):
        until = time.monotonic() + self.START_MAX
        while time.monotonic() < until and self.is_alive():
            said = pathlib.Path(self.output.name).read_text()
            found = re.search(r"Postledger is at (http://localhost:\d+)", said)
            if found:
                return found.group(1)
            time.sleep(0.05)
        self.stop()
        sys.exit(f"the service did not start: {pathlib.Path(self.output.name).read_text()}")

    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.is_alive():
            self.process.send_signal(signal.SIGINT)
        end(self.process)
        self.output.close()


def end(process):
    """Waits for a process that was told to end; one that does not is killed."""
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Person:
    """Somebody signed in, who does by hand what a frontend would."""

    def __init__(self, url, phone):
        self.url, self.browser = url, requests.Session()
        self.browser.trust_env = False
        self.call("POST", "/api/verification-codes", 202, {"phone": phone})
        texts = self.call("GET", "/_local/inbox", 200)["items"]
        code = next(re.search(r"\b\d{6}\b", text["text"]).group() for text in texts if text["to"] == phone)
        answer = self.browser.post(url + "/api/verify-code", json={"phone": phone, "code": code})
        assert answer.status_code == 200, answer.text
        # The cookie is Secure: the library would not send it over http.
        self.session = re.match(r"__Host-session=([^;]+)", answer.headers["set-cookie"]).group(1)
        self.browser.cookies.clear()
        self.csrf = answer.json()["csrf_token"]
        self.browser.headers.update({"Cookie": f"__Host-session={self.session}", "X-CSRF-Token": self.csrf})

    def settled(self):
        """With a plan, accounts, and posts in several states."""
        gift = self.call("POST", "/_local/gift-certificates", 201, {"plan": "professional"})["code"]
        self.call("POST", "/api/redeem-gift", 200, {"code": gift})
        for account in range(12):
            self.connect("x", {"account": f"contract{account}"})
        self.connect("facebook", {})
        connections = self.call("GET", "/api/connections", 200)["items"]
        posts = []
        for number, connection in enumerate(connections):
            body = {"content": f"Fresh bread, batch {number}", "targets": [{"connection_id": connection["id"]}]}
            due = {"scheduled_local": "2026-12-24T09:00:00", "time_zone": "Australia/Brisbane"}
            due["scheduled_local"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 86400 * (number + 2)))
            posts += self.call("POST", "/api/posts", 201, body | due)["items"]
        for post in posts[::3]:
            self.call("POST", f"/api/posts/{post['id']}/approve", 200)
        for post in posts[1::3]:
            self.call("POST", f"/api/posts/{post['id']}/cancel", 200)
        return self

    def connect(self, platform, fields):
        started = self.browser.get(f"{self.url}/oauth/{platform}/start", allow_redirects=False)
        assert started.status_code == 303, started.text
        address = started.headers["location"]
        page = requests.get(address).text
        tags = [tag for tag in re.findall(r"<input[^>]*>", page) if 'type="hidden"' in tag]
        form = {re.search(r'name="([^"]*)"', tag).group(1): html.unescape(re.search(r'value="([^"]*)"', tag).group(1)) for tag in tags}
        consented = requests.post(address.split("?")[0], data=form | {"decision": "allow"} | fields, allow_redirects=False)
        ended = self.browser.get(consented.headers["location"], allow_redirects=False)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(ended.headers["location"]).query)
        if "choose" in query:
            path = f"/api/connections/choices/{query['choose'][0]}"
            accounts = [account["account_id"] for account in self.call("GET", path, 200)["accounts"]]
            self.call("POST", path, 201, {"account_ids": accounts[:1]})
        else:
            assert "connected" in query, query

    def call(self, method, path, expected, body=None):
        answer = self.browser.request(method, self.url + path, json=body)
        assert answer.status_code == expected, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


class Run:
    """One run of Schemathesis as one person."""

    def __init__(self, name, person, options, seconds):
        self.name, self.person, self.options, self.seconds, self.cases = name, person, options, seconds, 0

    def run(self, examples, reports):
        """Whether all answers kept to the contract."""
        print(f"==> {self.name}, at most {self.seconds} s", flush=True)
        folder = reports.resolve() / re.sub(r"\W+", "-", self.name)
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, HERE / "schemathesis_cli.py", "--config-file", HERE / "schemathesis.toml", "run", CONTRACT, "--url", self.person.url, *self.options]
        command += ["--max-examples", str(examples), "--no-color", "--report", "ndjson", "--report-dir", folder]
        environment = os.environ | {"CONTRACT_SESSION": self.person.session, "CONTRACT_CSRF": self.person.csrf}
        output = folder / "output"
        with open(output, "w") as file:
            process = subprocess.Popen(command, env=environment, cwd=folder, stdout=file, stderr=subprocess.STDOUT)
            try:
                ended = process.wait(timeout=self.seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                ended = None
            finally:
                end(process)
        said = output.read_text()
        print(said, flush=True)
        if ended is None:
            print(f"{self.name}: cut off after {self.seconds} s", file=sys.stderr)
        counted = re.search(r"(\d+) generated", said)
        self.cases = int(counted.group(1)) if counted else 0
        return ended == 0 and self.cases > 0


if __name__ == "__main__":
    main()
