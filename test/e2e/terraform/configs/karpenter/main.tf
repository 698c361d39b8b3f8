# Nodes that no managed node group starts: a role with an access entry, as Karpenter's
# module makes it, node classes as manifests, and an Auto Scaling group.
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

provider "kubernetes" {
  host = aws_eks_cluster.shop.endpoint
}

locals {
  ec2_trust = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
  node_policies = ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"]
}

resource "aws_iam_role" "cluster" {
  name = "shop-cluster"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "eks.amazonaws.com" } }]
  })
}

resource "aws_eks_cluster" "shop" {
  name     = "shop"
  role_arn = aws_iam_role.cluster.arn
  access_config {
    authentication_mode = "API_AND_CONFIG_MAP"
  }
  vpc_config {
    subnet_ids = ["subnet-1"]
  }
}

# Its access entry says that it is a node role.
resource "aws_iam_role" "entry" {
  name_prefix        = "KarpenterNodeRole-"
  assume_role_policy = local.ec2_trust
}

resource "aws_iam_role_policy_attachments_exclusive" "entry" {
  role_name   = aws_iam_role.entry.name
  policy_arns = [for name in local.node_policies : "arn:aws:iam::aws:policy/${name}"]
}

resource "aws_eks_access_entry" "entry" {
  cluster_name  = aws_eks_cluster.shop.name
  principal_arn = aws_iam_role.entry.arn
  type          = "EC2_LINUX"
}

# A node class names it; its policy attachment is exclusive, and it has no access entry.
resource "aws_iam_role" "class" {
  name               = "shop-class"
  assume_role_policy = local.ec2_trust
}

resource "aws_iam_policy" "class" {
  name = "shop-class"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["ec2:*", "eks:DescribeCluster", "ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = "*"
    }]
  })
}

resource "aws_iam_policy_attachment" "class" {
  name       = "class"
  policy_arn = aws_iam_policy.class.arn
  roles      = [aws_iam_role.class.name]
}

resource "kubernetes_manifest" "class" {
  manifest = {
    apiVersion = "karpenter.k8s.aws/v1"
    kind       = "EC2NodeClass"
    metadata   = { name = "default" }
    spec = {
      role             = aws_iam_role.class.name
      amiSelectorTerms = [{ alias = "al2023@latest" }]
      metadataOptions  = { httpTokens = "required", httpPutResponseHopLimit = 2 }
    }
  }
}

# The role is known only after apply; it is the one with the access entry.
resource "kubernetes_manifest" "later" {
  manifest = {
    apiVersion = "karpenter.k8s.aws/v1"
    kind       = "EC2NodeClass"
    metadata   = { name = "later" }
    spec       = { role = aws_iam_role.entry.name }
  }
}

# An Auto Scaling group, which aws-auth maps.
resource "aws_iam_role" "group" {
  name               = "shop-group"
  assume_role_policy = local.ec2_trust
}

resource "aws_iam_role_policy_attachment" "group" {
  for_each = toset(local.node_policies)

  role       = aws_iam_role.group.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_iam_instance_profile" "group" {
  name_prefix = "shop-group-"
  role        = aws_iam_role.group.name
}

resource "aws_launch_template" "group" {
  name = "shop-group"
  iam_instance_profile {
    arn = aws_iam_instance_profile.group.arn
  }
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}

resource "aws_autoscaling_group" "group" {
  name     = "shop-group"
  min_size = "0"
  max_size = "3"
  launch_template {
    id      = aws_launch_template.group.id
    version = "$Latest"
  }
  tag {
    key                 = "kubernetes.io/cluster/shop"
    value               = "owned"
    propagate_at_launch = true
  }
}

resource "kubernetes_config_map_v1_data" "aws_auth" {
  metadata {
    name      = "aws-auth"
    namespace = "kube-system"
  }
  data = {
    mapRoles = yamlencode([{
      rolearn  = "arn:aws:iam::111122223333:role/shop-group"
      username = "system:node:{{EC2PrivateDNSName}}"
      groups   = ["system:bootstrappers", "system:nodes"]
    }])
  }
  force = true
}
