package view

import "testing"

// TestProviderOf: the names by which a cluster's issuer and its OIDC provider are known.
func TestProviderOf(t *testing.T) {
	for name, want := range map[string][2]string{
		"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/9F3C":            {"eu-west-1", "9F3C"},
		"https://oidc.eks.eu-west-1.amazonaws.com/id/9F3C":                                            {"eu-west-1", "9F3C"},
		"https://oidc-eks.eu-west-1.api.aws/id/9F3C":                                                  {"eu-west-1", "9F3C"},
		"arn:aws-cn:iam::111122223333:oidc-provider/oidc.eks.cn-north-1.amazonaws.com.cn/id/9F3C":     {"cn-north-1", "9F3C"},
		"arn:aws-us-gov:iam::111122223333:oidc-provider/oidc.eks.us-gov-west-1.amazonaws.com/id/9F3C": {"us-gov-west-1", "9F3C"},
		"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com":                 {},
		"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/9F3C/more":       {},
		"arn:aws:iam::111122223333:oidc-provider/example.com/oidc.eks.eu-west-1.amazonaws.com/id/9F":  {},
		"": {},
	} {
		region, id, ok := ProviderOf(name)
		if got := [2]string{region, id}; got != want || ok != (want[1] != "") {
			t.Errorf("%s: %v %t, want %v", name, got, ok, want)
		}
	}
}
