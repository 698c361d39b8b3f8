package cli

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// completionTimeout is how long the shell may wait for names that only AWS has.
const completionTimeout = 2 * time.Second

// completeValues completes the values of all commands' flags: the words of an enum, and
// what the kubeconfig, the AWS files and our own lists have. For any other value the
// shell offers files. What cannot be read is not offered.
func completeValues(cmd *cobra.Command, config *kubeFlags) {
	sources := map[string]func() []string{
		"context":      func() []string { return contexts(config) },
		"contexts":     func() []string { return contexts(config) },
		"cluster-name": func() []string { return clusterNames(config) },
		"region":       func() []string { return locate.Regions },
		"regions":      func() []string { return locate.Regions },
		"only":         func() []string { return ruleCompletions(nil) },
		"profile": func() []string {
			names, _ := aws.Profiles()
			return names
		},
	}
	register := func(f *pflag.Flag) {
		values, ok := sources[f.Name]
		words, isEnum := f.Value.(*enum)
		if !ok && !isEnum {
			return
		}
		if _, taken := cmd.GetFlagCompletionFunc(f.Name); taken {
			return
		}
		// It fails for an unknown or a completed flag, and this is neither.
		_ = cmd.RegisterFlagCompletionFunc(f.Name, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			if isEnum {
				return words.complete(typed)
			}
			list := values()
			if f.Value.Type() == "stringSlice" {
				list = afterComma(typed, list)
			}
			return starting(typed, list), cobra.ShellCompDirectiveNoFileComp
		})
	}
	cmd.LocalFlags().VisitAll(register)
	for _, sub := range cmd.Commands() {
		if sub.ValidArgsFunction == nil && len(sub.ValidArgs) == 0 {
			sub.ValidArgsFunction = cobra.NoFileCompletions
		}
		completeValues(sub, config)
	}
}

// afterComma puts what is typed up to the last comma before the values of a flag that
// takes several.
func afterComma(typed string, values []string) []string {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var list []string
	for _, v := range values {
		list = append(list, before+v)
	}
	return list
}

// starting keeps the values that begin with what is typed, in any case, and that are safe to
// show: a shell takes each line of what is printed for a value.
func starting(typed string, values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool {
		return len(v) < len(typed) || !strings.EqualFold(v[:len(typed)], typed) ||
			strings.ContainsFunc(v, func(r rune) bool { return r != '\t' && !text.Safe(r) }) // a tab begins the description
	})
}

func contexts(config *kubeFlags) []string {
	raw, err := config.RawConfig()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(raw.Contexts))
}

// clusterNames are the EKS clusters of the kubeconfig's contexts.
func clusterNames(config *kubeFlags) []string {
	raw, err := config.RawConfig()
	if err != nil {
		return nil
	}
	var names []string
	for name := range raw.Contexts {
		target, err := locate.FromKubeconfig(raw, locate.Flags{Context: name}, func(string) string { return "" })
		if err == nil && target.Name != "" {
			names = append(names, target.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// completeArgs completes ROLE and ACTION.
func (o *canOptions) completeArgs(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if o.batch {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if !o.documents() {
		if len(args) == 0 {
			return starting(typed, o.facts.completeRoles(cmd.Context())), cobra.ShellCompDirectiveNoFileComp
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return starting(typed, need.Names()), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeRoles returns the names of the roles that the facts have. The live cluster
// is asked without a word and without a question to the user, and only for as long
// as a shell may wait.
func (o factsOptions) completeRoles(ctx context.Context) []string {
	if o.file == "-" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	o.live.streams.ErrOut = io.Discard
	o.live.config.silent = true
	names := make(chan []string, 1)
	go func() {
		facts, _, err := o.read(ctx)
		if err != nil {
			names <- nil
			return
		}
		names <- roleNames(facts)
	}()
	select {
	case list := <-names:
		return list
	case <-ctx.Done(): // a credential plugin does not know of the context
		return nil
	}
}
