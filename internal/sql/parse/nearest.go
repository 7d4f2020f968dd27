package parse

import "strings"

// maxNearest bounds the words that are compared, in bytes.
const maxNearest = 32

// Nearest returns the candidate that differs least from the word, whatever the case, or "" if none is near: at most one edit for each three
// letters. Among equals the first in the alphabet wins.
func Nearest(word string, candidates []string) string {
	if len(word) < 2 || len(word) > maxNearest {
		return ""
	}
	word = strings.ToUpper(word)
	best, bestEdits := "", 1+max(1, len(word)/3)
	for _, c := range candidates {
		if len(c) > maxNearest || strings.ToUpper(c) == word {
			continue
		}
		n := edits(word, strings.ToUpper(c), bestEdits)
		if n < bestEdits || n == bestEdits && best != "" && c < best {
			best, bestEdits = c, n
		}
	}
	return best
}

// edits counts the insertions, deletions, replacements and swaps of neighbours between two words, up to the limit.
func edits(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	rows := [3][maxNearest + 1]int{}
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, up, upUp := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, up[j]+1, up[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], upUp[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
