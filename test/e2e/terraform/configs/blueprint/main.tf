# A cluster as the EKS blueprints write it: an add-on's module has Karpenter's node role behind a
# merged output, the nodes' module tags its Auto Scaling group in a dynamic block, and the provider of
# Kubernetes has its cluster from a data source.
terraform {
  required_providers {
    aws        = { source = "hashicorp/aws" }
    kubernetes = { source = "hashicorp/kubernetes" }
  }
}

provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["111122223333"]
}

locals {
  clusters = { shop = "API", other = "API", old = "CONFIG_MAP" }
}

resource "aws_iam_role" "cluster" {
  for_each = local.clusters
  name     = "${each.key}-cluster"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "eks.amazonaws.com" } }]
  })
}

resource "aws_eks_cluster" "this" {
  for_each = local.clusters
  name     = each.key
  role_arn = aws_iam_role.cluster[each.key].arn
  access_config {
    authentication_mode = each.value
  }
  vpc_config {
    subnet_ids = ["subnet-1"]
  }
}

module "addons" {
  source       = "./modules/addons"
  cluster_name = aws_eks_cluster.this["shop"].name
}

# The role of Karpenter's nodes lacks the permissions to pull images.
resource "aws_eks_access_entry" "karpenter" {
  cluster_name  = aws_eks_cluster.this["shop"].name
  principal_arn = module.addons.karpenter.node_iam_role_arn
  type          = "EC2_LINUX"
}

module "nodes" {
  source       = "./modules/nodes"
  for_each     = local.clusters
  cluster_name = aws_eks_cluster.this[each.key].id
}

data "aws_eks_cluster" "old" {
  name = aws_eks_cluster.this["old"].id
}

provider "kubernetes" {
  host = data.aws_eks_cluster.old.endpoint
}

resource "kubernetes_config_map_v1_data" "aws_auth" {
  metadata {
    name      = "aws-auth"
    namespace = "kube-system"
  }
  data = {
    mapRoles = yamlencode([{ rolearn = module.nodes["old"].role_arn, username = "system:node:{{EC2PrivateDNSName}}", groups = ["system:bootstrappers", "system:nodes"] }])
  }
}
