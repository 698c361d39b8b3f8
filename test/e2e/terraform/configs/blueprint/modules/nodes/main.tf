variable "cluster_name" {
  type = string
}

resource "aws_iam_role" "this" {
  name_prefix = "nodes-"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"])
  policy_arn = "arn:aws:iam::aws:policy/${each.value}"
  role       = aws_iam_role.this.name
}

resource "aws_iam_instance_profile" "this" {
  role        = aws_iam_role.this.name
  name_prefix = "nodes-"
}

resource "aws_launch_template" "this" {
  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}

resource "aws_autoscaling_group" "this" {
  min_size = 0
  max_size = 1
  launch_template {
    id = aws_launch_template.this.id
  }
  dynamic "tag" {
    for_each = merge({ "kubernetes.io/cluster/${var.cluster_name}" = "owned" }, { team = "shop" })
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
}

resource "aws_eks_access_entry" "this" {
  cluster_name  = var.cluster_name
  principal_arn = aws_iam_role.this.arn
  type          = "EC2_LINUX"
}

output "role_arn" {
  value = aws_iam_role.this.arn
}
