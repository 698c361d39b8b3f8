terraform {
  required_providers {
    aws  = { source = "hashicorp/aws" }
    time = { source = "hashicorp/time" }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  default = "eu-west-1"
}

variable "db_password" {
  default   = "correct-horse-battery"
  sensitive = true
}

data "aws_caller_identity" "current" {}

module "cluster" {
  source = "./modules/cluster"
  name   = "shop"
}

module "nodes" {
  source   = "./modules/nodes"
  for_each = toset(["apps", "system"])

  name         = each.key
  cluster_name = module.cluster.name
}

data "aws_iam_policy_document" "cni_trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "cni" {
  name               = "shop-cni"
  assume_role_policy = data.aws_iam_policy_document.cni_trust.json
}

resource "aws_iam_role_policy_attachment" "cni" {
  role       = aws_iam_role.cni.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
}

resource "aws_eks_addon" "cni" {
  cluster_name  = module.cluster.name
  addon_name    = "vpc-cni"
  addon_version = "v1.20.4-eksbuild.1"

  pod_identity_association {
    role_arn        = aws_iam_role.cni.arn
    service_account = "aws-node"
  }
}

resource "aws_eks_addon" "agent" {
  cluster_name = module.cluster.name
  addon_name   = "eks-pod-identity-agent"
}
