package settings

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// maxTopicName is Kafka's bound on a name's length.
const maxTopicName = 249

// CheckName tells whether name may be a topic's, by Kafka's rules.
func CheckName(name string) (*kerr.Error, string) {
	switch {
	case name == "":
		return kerr.InvalidTopicException, "Topic name is illegal, it can't be empty."
	case name == "." || name == "..":
		return kerr.InvalidTopicException, "Topic name cannot be \".\" or \"..\"."
	case len(name) > maxTopicName:
		return kerr.InvalidTopicException, fmt.Sprintf("Topic name is longer than %d characters.", maxTopicName)
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return kerr.InvalidTopicException, "Topic name contains a character other than ASCII alphanumerics, '.', '_' and '-'."
		}
	}
	return nil, ""
}

// Fold maps names that may not exist beside each other to one: '.' and '_' collide in Kafka's metric names.
func Fold(name string) string { return strings.ReplaceAll(name, ".", "_") }
