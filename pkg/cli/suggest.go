package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/spf13/cobra"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-noderole/kubectl-noderole/examples"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/rules"
)

// patience is how long somebody who has pressed TAB waits for what has to be
// read.
const patience = 3 * time.Second

// offer completes a flag of cmd with these values.
func offer(cmd *cobra.Command, flag string, values ...string) {
	suggest(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// suggest completes a flag of cmd, if it has such a one.
func suggest(cmd *cobra.Command, flag string, values cobra.CompletionFunc) {
	// The other error is that somebody else has registered a function before.
	_ = cmd.RegisterFlagCompletionFunc(flag, values)
}

// suggestCommonFlags completes the flags that mean the same with every command,
// and keeps file names from commands that take none.
func suggestCommonFlags(root *cobra.Command, flags *kubeFlags) {
	kubeconfig := func() clientcmdapi.Config {
		raw, err := flags.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return clientcmdapi.Config{}
		}
		return raw
	}
	list := func(values func() []string) cobra.CompletionFunc {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return values(), cobra.ShellCompDirectiveNoFileComp
		}
	}
	suggest(root, "context", list(func() []string { return slices.Sorted(maps.Keys(kubeconfig().Contexts)) }))
	for _, cmd := range root.Commands() {
		if cmd.ValidArgs == nil && cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
		suggest(cmd, "cluster-name", list(func() []string {
			return ofClusters(kubeconfig(), func(t *locate.Target) string { return t.Name })
		}))
		suggest(cmd, "region", list(func() []string {
			regions := ofClusters(kubeconfig(), func(t *locate.Target) string { return t.Region })
			regions = append(regions, awsSettings().regions...)
			slices.Sort(regions)
			return slices.Compact(regions)
		}))
		suggest(cmd, "profile", list(func() []string { return awsSettings().profiles }))
		suggest(cmd, "only", ruleIDs)
		offer(cmd, "fail-on", "error", "warning", "info", "none")
		offer(cmd, "ip-family", "ipv4", "ipv6")
		offer(cmd, "partition", partitions...)
		offer(cmd, "example", examples.Names()...)
	}
}

// ofClusters returns what the EKS clusters of a kubeconfig's contexts have,
// sorted and each once.
func ofClusters(raw clientcmdapi.Config, value func(*locate.Target) string) []string {
	var values []string
	for name := range raw.Contexts {
		target, err := locate.FromKubeconfig(raw, locate.Flags{Context: name}, os.Getenv)
		if err == nil && value(target) != "" {
			values = append(values, value(target))
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// settings is what the AWS CLI's files name, sorted and each once.
type settings struct{ profiles, regions []string }

// awsSettings reads the two files that the AWS CLI keeps. Their form:
// https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
func awsSettings() settings {
	var s settings
	for _, file := range []string{
		cmp.Or(os.Getenv("AWS_CONFIG_FILE"), config.DefaultSharedConfigFilename()),
		cmp.Or(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), config.DefaultSharedCredentialsFilename()),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			words := strings.Fields(strings.NewReplacer("[", " [ ", "]", " ] ", "=", " = ").Replace(lines.Text()))
			switch {
			case len(words) == 3 && words[0] == "[":
				s.profiles = append(s.profiles, words[1])
			case len(words) == 4 && words[0] == "[" && words[1] == "profile":
				s.profiles = append(s.profiles, words[2])
			case len(words) == 3 && words[0] == "region":
				s.regions = append(s.regions, words[2])
			}
		}
	}
	slices.Sort(s.profiles)
	slices.Sort(s.regions)
	return settings{slices.Compact(s.profiles), slices.Compact(s.regions)}
}

// ruleIDs completes the last of a list of rules' ids.
func ruleIDs(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	before := word[:strings.LastIndex(word, ",")+1]
	var ids []string
	for _, r := range rules.All() {
		ids = append(ids, cobra.CompletionWithDesc(before+r.ID, r.Title))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// suggestArgs completes the role, from the facts that the flags name, and the
// action that can asks about.
func (o *canOptions) suggestArgs(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	position := len(args)
	if o.documents() {
		position++ // no role stands before the action
	}
	switch position {
	case 0:
		ctx, cancel := context.WithTimeout(cmd.Context(), patience)
		defer cancel()
		facts, _, err := o.facts.read(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return roleNames(facts), cobra.ShellCompDirectiveNoFileComp
	case 1:
		var actions []string
		for _, a := range slices.Concat(need.Worker, need.WorkerRecommended, need.Pull, need.PodIdentityAgent) {
			actions = append(actions, a.Name)
		}
		slices.Sort(actions)
		return slices.Compact(actions), cobra.ShellCompDirectiveNoFileComp
	default:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}
