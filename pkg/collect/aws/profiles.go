package aws

import (
	"bufio"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
)

// Profiles returns the names of the profiles in the shared config and credentials
// files, sorted. A file that is not there has none.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
func Profiles() ([]string, error) {
	var names []string
	for _, file := range []struct{ name, prefix string }{
		{cmp.Or(os.Getenv("AWS_CONFIG_FILE"), config.DefaultSharedConfigFilename()), "profile"},
		{cmp.Or(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), config.DefaultSharedCredentialsFilename()), ""},
	} {
		if err := files.Check(file.name, files.MaxKubeconfig); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(file.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
			if name := profileOf(lines.Text(), file.prefix); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// profileOf returns the profile that a section's first line names: [NAME], or in the
// config file [default] or [profile NAME].
func profileOf(line, prefix string) string {
	section, ok := strings.CutPrefix(strings.TrimSpace(line), "[")
	section, _, closed := strings.Cut(section, "]")
	words := strings.Fields(section)
	switch {
	case !ok || !closed || len(words) == 0:
		return ""
	case prefix == "" || len(words) == 1 && words[0] == "default":
		return strings.Join(words, " ")
	case words[0] == prefix:
		return strings.Trim(strings.Join(words[1:], " "), `"'`)
	default:
		return ""
	}
}
