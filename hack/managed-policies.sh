#!/usr/bin/env bash
# Writes pkg/managed/policies.json: copies of AWS's managed policies that are attached to
# node roles. It asks IAM where the AWS CLI has credentials (iam:GetPolicy and
# iam:GetPolicyVersion), and otherwise takes the copies that moto has, which its
# maintainers read from IAM.
set -euo pipefail
cd "$(dirname "$0")/.."

python3 - pkg/managed/policies.json <<'PYTHON'
import datetime, json, subprocess, sys

# By name, with the path: what AWS's guides, eksctl, CDK and the modules of
# terraform-aws-modules attach to node roles, and what teams add to them.
NAMES = """
AmazonEKSWorkerNodePolicy
AmazonEKSWorkerNodeMinimalPolicy
AmazonEKS_CNI_Policy
AmazonEC2ContainerRegistryPullOnly
AmazonEC2ContainerRegistryReadOnly
AmazonEC2ContainerRegistryPowerUser
AmazonEC2ContainerRegistryFullAccess
AmazonElasticContainerRegistryPublicReadOnly
AmazonElasticContainerRegistryPublicPowerUser
AmazonElasticContainerRegistryPublicFullAccess
AmazonEKSFargatePodExecutionRolePolicy
AmazonEKSClusterPolicy
AmazonEKSServicePolicy
AmazonEKSVPCResourceController
AmazonEKSComputePolicy
AmazonEKSBlockStoragePolicy
AmazonEKSLoadBalancingPolicy
AmazonEKSNetworkingPolicy
AmazonSageMakerClusterInstanceRolePolicy
AmazonSSMManagedInstanceCore
AmazonSSMManagedEC2InstanceDefaultPolicy
AmazonSSMPatchAssociation
AmazonSSMReadOnlyAccess
AmazonSSMDirectoryServiceAccess
service-role/AmazonEC2RoleforSSM
CloudWatchAgentServerPolicy
CloudWatchAgentAdminPolicy
CloudWatchLogsFullAccess
CloudWatchReadOnlyAccess
AWSXRayDaemonWriteAccess
AWSXrayWriteOnlyAccess
AmazonPrometheusRemoteWriteAccess
service-role/AmazonEBSCSIDriverPolicy
service-role/AmazonEFSCSIDriverPolicy
AmazonElasticFileSystemClientReadWriteAccess
AmazonFSxFullAccess
AmazonS3ReadOnlyAccess
AmazonEC2ReadOnlyAccess
AutoScalingFullAccess
AdministratorAccess
""".split()


def aws(*words):
    run = subprocess.run(["aws", *words, "--output", "json"], capture_output=True, text=True)
    return json.loads(run.stdout) if run.returncode == 0 else None


def from_iam():
    if not aws("sts", "get-caller-identity"):
        return None
    policies = {}
    for name in NAMES:
        arn = "arn:aws:iam::aws:policy/" + name
        policy = aws("iam", "get-policy", "--policy-arn", arn)
        if policy is None:
            sys.exit(f"iam:GetPolicy {arn} failed")
        version = policy["Policy"]["DefaultVersionId"]
        document = aws("iam", "get-policy-version", "--policy-arn", arn, "--version-id", version)
        policies[name] = {"version": version, "document": document["PolicyVersion"]["Document"]}
    return {"source": "iam:GetPolicyVersion", "asOf": datetime.date.today().isoformat(), "policies": policies}


def from_moto():
    import moto
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    data = json.loads(aws_managed_policies_data)
    policies = {}
    for name in NAMES:
        policy = data[name.rsplit("/", 1)[-1]]
        if policy["Path"].strip("/") != name.rpartition("/")[0]:
            sys.exit(f"{name} has the path {policy['Path']}")
        policies[name] = {"version": policy["DefaultVersionId"], "document": policy["Document"]}
    # The copies say when each policy was changed: they are not older than the last change.
    newest = max(policy["UpdateDate"] for policy in data.values())
    return {"source": f"moto {moto.__version__}, moto/iam/aws_managed_policies.py", "asOf": newest[:10], "policies": policies}


copies = from_iam() or from_moto()
with open(sys.argv[1], "w") as out:
    json.dump(copies, out, indent=1, sort_keys=True)
    out.write("\n")
print(f"{len(copies['policies'])} policies as of {copies['asOf']}, from {copies['source']}")
PYTHON
