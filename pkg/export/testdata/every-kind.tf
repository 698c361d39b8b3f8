# Repairs arn:aws:eks:eu-west-1:111122223333:cluster/prod. Change the resources that you already have, instead of adding them.

# 1. create a role (NR201, NR203)

resource "aws_iam_role" "new" {
  name                 = "new"
  path                 = "/path/"
  description          = "it's \"new\""
  permissions_boundary = "arn:aws:iam::111122223333:policy/mine"
  assume_role_policy   = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": {
        "Effect": "Allow",
        "Principal": {
          "Service": "ec2.amazonaws.com"
        },
        "Action": "sts:AssumeRole",
        "Condition": {
          "StringLike": {
            "aws:x": "$${aws:y}%%{z}"
          }
        }
      }
    }
  EOT
  tags = {
    "cost-center" = "9"
    "team"        = "a"
  }
}

resource "aws_iam_policy" "mine" {
  name   = "mine"
  policy = <<-EOT
    {
      "Statement": []
    }
  EOT
}

resource "aws_iam_role_policy_attachment" "new_mine" {
  role       = aws_iam_role.new.name
  policy_arn = aws_iam_policy.mine.arn
}

resource "aws_iam_role_policy" "new_more" {
  name   = "more"
  role   = aws_iam_role.new.name
  policy = <<-EOT
    {
      "Statement": []
    }
  EOT
}

resource "aws_iam_instance_profile" "new" {
  name = "new"
  path = "/path/"
  role = aws_iam_role.new.name
  tags = {
    "team" = "a"
  }
}
# proof: it is there

# 2. replace an entry (NR201, NR203)
# replace the existing entry: terraform apply -replace=aws_eks_access_entry.new

resource "aws_eks_access_entry" "new" {
  cluster_name      = "prod"
  principal_arn     = aws_iam_role.new.arn
  type              = "STANDARD"
  user_name         = "{{SessionName}}"
  kubernetes_groups = ["a", "b"]
  tags = {
    "team" = "a"
  }
}

resource "aws_eks_access_policy_association" "new_A" {
  cluster_name  = "prod"
  principal_arn = aws_eks_access_entry.new.principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/A"

  access_scope {
    type       = "namespace"
    namespaces = ["x", "y"]
  }
}

resource "aws_eks_access_policy_association" "new_B" {
  cluster_name  = "prod"
  principal_arn = aws_eks_access_entry.new.principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/B"

  access_scope {
    type = "cluster"
  }
}
# proof: it is there

# 3. create the rest (NR201, NR203)

resource "aws_iam_instance_profile" "empty" {
  name = "empty"
}

resource "aws_iam_openid_connect_provider" "A" {
  url            = "https://oidc.eks.eu-west-1.amazonaws.com/id/A"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_eks_pod_identity_association" "kube-system_aws-node" {
  cluster_name    = "prod"
  namespace       = "kube-system"
  service_account = "aws-node"
  role_arn        = aws_iam_role.new.arn
}

resource "aws_eks_addon" "_9-agent" {
  cluster_name = "prod"
  addon_name   = "9-agent"
}
# proof: it is there

# 4. change what exists (NR201, NR203)
# a note of two lines
# in the aws_iam_role of old:
#   assume_role_policy = <<-EOT
# {
#   "Version": "2012-10-17",
#   "Statement": {
#     "Effect": "Allow",
#     "Principal": {
#       "Service": "ec2.amazonaws.com"
#     },
#     "Action": "sts:AssumeRole",
#     "Condition": {
#       "StringLike": {
#         "aws:x": "$${aws:y}%%{z}"
#       }
#     }
#   }
# }
#   EOT
# in the aws_iam_instance_profile of old: role = "old"
# in the aws_iam_openid_connect_provider of arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB: client_id_list = ["a", "b"]
# in the aws_eks_addon of vpc-cni: service_account_role_arn = "arn:aws:iam::111122223333:role/path/new"
# in the aws_eks_addon of coredns:
#   pod_identity_association {
#     role_arn        = "arn:aws:iam::111122223333:role/path/new"
#     service_account = "coredns"
#   }
# not in Terraform: kubectl --context staging -n kube-system patch configmap aws-auth --type json --patch '[{"op":"test","path":"/data/mapRoles","value":"[]"},{"op":"replace","path":"/data/mapRoles","value":"- rolearn: x\n"}]'
# not in Terraform: kubectl --context staging -n kube-system annotate serviceaccount aws-node --overwrite eks.amazonaws.com/role-arn=arn:aws:iam::111122223333:role/path/new
# not in Terraform: kubectl --context staging -n kube-system rollout restart daemonset aws-node
# not in Terraform: kubectl --context staging -n kube-system rollout status daemonset aws-node
# proof: it is there

# 5. remove, and add what was added already (NR201, NR203)
# remove from your configuration: policy arn:aws:iam::111122223333:policy/mine of role old
# remove from your configuration: access policy arn:p of old
# proof: it is there

# do this manually: NR101 the role is the cluster's
#   the cluster uses it
