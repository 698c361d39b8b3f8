package snapshot

import (
	"fmt"
	"strings"
)

// Exposed says by which setting pods can get the credentials of the instance; empty where they
// cannot. decided is false where the options do not say it.
// Source: https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html
func (m MetadataOptions) Exposed() (why string, decided bool) {
	switch {
	case m.HTTPEndpoint == "disabled":
		return "", true
	case m.HTTPTokens == "optional":
		return "HttpTokens optional", true
	case m.HopLimit > 1:
		return fmt.Sprintf("hop limit %d", m.HopLimit), true
	}
	return "", m.HTTPTokens == "required" && m.HopLimit == 1
}

// Unset returns, of the options that decide whether pods can get the credentials of the
// instance, those that are not set.
func (m MetadataOptions) Unset() []string {
	var unset []string
	if m.HTTPTokens == "" {
		unset = append(unset, "HttpTokens")
	}
	if m.HopLimit == 0 {
		unset = append(unset, "hop limit")
	}
	return unset
}

// String returns the options that are set.
func (m MetadataOptions) String() string {
	var parts []string
	if m.HTTPEndpoint != "" {
		parts = append(parts, "HttpEndpoint "+m.HTTPEndpoint)
	}
	if m.HTTPTokens != "" {
		parts = append(parts, "HttpTokens "+m.HTTPTokens)
	}
	if m.HopLimit != 0 {
		parts = append(parts, fmt.Sprintf("hop limit %d", m.HopLimit))
	}
	if len(parts) == 0 {
		return "no option set"
	}
	return strings.Join(parts, ", ")
}

// MetadataOptions are those of the instance.
func (i Instance) MetadataOptions() MetadataOptions {
	return MetadataOptions{HTTPTokens: i.HTTPTokens, HTTPEndpoint: i.HTTPEndpoint, HopLimit: i.HopLimit}
}
