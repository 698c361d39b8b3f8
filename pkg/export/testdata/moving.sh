#!/bin/sh
# Repairs arn:aws:eks:eu-west-1:111122223333:cluster/prod. Read it before you run it.
# It stops at the first error, and if a step is not proven. The steps before that are complete.
set -eu
main() {
stop() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}
prove() {
  what=$1
  shift
  tries=24
  until "$@" >/dev/null; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
      stop "$step: $what"
    fi
    sleep 5
  done
}
export AWS_REGION=eu-west-1 AWS_DEFAULT_REGION=eu-west-1

# The credentials must belong to the cluster's account.
account=$(aws sts get-caller-identity --query Account --output text)
if [ "$account" != 111122223333 ]; then
  stop "the AWS credentials belong to account $account, but the cluster is in account "111122223333
fi

# kubectl's context must point to the cluster.
server=$(kubectl --context staging config view --minify --raw -o 'jsonpath={.clusters[0].cluster.server}')
endpoint=$(aws eks describe-cluster --name prod --query cluster.endpoint --output text)
if [ "$server" != "$endpoint" ]; then
  authority=$(kubectl --context staging config view --minify --raw -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}')
  expected=$(aws eks describe-cluster --name prod --query cluster.certificateAuthority.data --output text)
  if [ -z "$authority" ] || [ "$authority" != "$expected" ]; then
    stop "kubectl's context points to $server, but cluster "prod" is $endpoint"
  fi
fi

# 1. create a role for aws-node (NR601)
step='step 1 of 4'
printf '%s\n' '1. create a role for aws-node (NR601)'
aws iam create-role --role-name prod-aws-node --assume-role-policy-document '{}'
aws iam wait role-exists --role-name prod-aws-node || stop "$step: "'the change is not visible: role prod-aws-node'
aws iam attach-role-policy --role-name prod-aws-node --policy-arn arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy
# proof: the role exists

# 2. give aws-node the role (NR601)
# running pods keep the node role
step='step 2 of 4'
printf '%s\n' '2. give aws-node the role (NR601)'
prove 'was not started, because it is not safe yet: eks-pod-identity-agent is not ready on every node' kubectl --context staging -n kube-system rollout status daemonset eks-pod-identity-agent --timeout=10s
prove 'EKS does not accept the new role prod-aws-node' aws eks update-addon --cluster-name prod --addon-name vpc-cni --pod-identity-associations serviceAccount=aws-node,roleArn=arn:aws:iam::111122223333:role/prod-aws-node --resolve-conflicts PRESERVE
aws eks wait addon-active --cluster-name prod --addon-name vpc-cni || stop "$step: "'the change is not visible: role of service account aws-node in add-on vpc-cni'
# proof: new pods get the role
prove 'was not proven: NR604 does not pass for aws-node' kubectl --context staging noderole check --no-config --only NR604 --subject aws-node --quiet --fail-on any

# 3. restart aws-node (NR602)
step='step 3 of 4'
printf '%s\n' '3. restart aws-node (NR602)'
kubectl --context staging -n kube-system rollout restart daemonset aws-node
kubectl --context staging -n kube-system rollout status daemonset aws-node
# proof: every pod uses the role
prove 'was not proven: NR602 does not pass for aws-node' kubectl --context staging noderole check --no-config --only NR602 --subject aws-node --quiet --fail-on info

# 4. detach the CNI policy (NR205)
step='step 4 of 4'
printf '%s\n' '4. detach the CNI policy (NR205)'
prove 'was not started, because it is not safe yet: NR602 does not pass for aws-node' kubectl --context staging noderole check --no-config --only NR602 --subject aws-node --quiet --fail-on info
prove 'was not started, because it is not safe yet: NR206 does not pass for aws-node' kubectl --context staging noderole check --no-config --only NR206 --subject aws-node --quiet --fail-on any
aws iam detach-role-policy --role-name nodes --policy-arn arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy
# proof: the node role has no CNI permissions
prove 'was not proven: NR205 does not pass for nodes' kubectl --context staging noderole check --no-config --only NR205 --subject arn:aws:iam::111122223333:role/nodes --quiet --fail-on any

return 0
}
main </dev/null
