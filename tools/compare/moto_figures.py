"""Measures moto's evaluator of IAM policies with the questions of compare_test.go:

    python3 tools/compare/moto_figures.py

moto (https://github.com/getmoto/moto) evaluates Effect, Action and Resource, and no Condition.
"""

import pathlib
import re
import timeit

from moto.iam.access_control import IAMPolicy, PermissionResult

source = pathlib.Path(__file__).with_name("compare_test.go").read_text()
account = re.search(r'account = "(\d+)"', source).group(1)
text = re.search(r"const iamPolicy = `(.*?)`", source, re.S).group(1)
policy = IAMPolicy(text)
for name, action, resource, allowed in re.findall(r'\t\{"(.+?)", "(.+?)", (.+?), (true|false)\},', source):
    resource = resource.replace("account", account).replace('"', "").replace(" + ", "")
    permitted = policy.is_action_permitted(action, resource) == PermissionResult.PERMITTED
    if permitted != (allowed == "true"):
        raise SystemExit(f"{name}: moto says {permitted}")
    seconds = min(timeit.repeat(lambda: policy.is_action_permitted(action, resource), number=2000, repeat=5)) / 2000
    print(f"{name}: {seconds * 1e6:.1f} µs")
