"""Run in the pod of the webserver: cancels the run whose id is given, as a person does in the UI."""

import json
import sys
import urllib.request

MUTATION = """
mutation Cancel($run: String!) {
  terminateRun(runId: $run) {
    __typename
    ... on TerminateRunFailure { message }
    ... on UnauthorizedError { message }
    ... on RunNotFoundError { message }
    ... on PythonError { message stack }
  }
}
"""

if __name__ == "__main__":
    body = json.dumps({"query": MUTATION, "variables": {"run": sys.argv[1]}}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request("http://localhost:3000/graphql", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        print("REPORT " + json.dumps(json.load(answer)["data"]), flush=True)  # noqa: T201
