package qtt

import (
	"errors"
	"fmt"
	"strings"
)

// describe tells what an engine refused, for a case that it should have taken.
func (f *failure) describe(c *testCase) error {
	if f.piping {
		return fmt.Errorf("%s: %w", f.Phase, f.Err)
	}
	return fmt.Errorf("%s, statement %d of %d: %w", f.Phase, f.Statement+1, len(splitScript(c.script())), f.Err)
}

// judgeFailure judges a case that must fail: it passes by class.
func (c *testCase) judgeFailure(f *failure) verdict {
	v := verdict{negative: true}
	if f == nil {
		v.err = fmt.Errorf("accepted, but it must fail: %s", c.Fails)
		return v
	}
	v.text = c.Fails.inText(f.Err)
	if err := c.classDiffers(f); err != nil {
		v.err = fmt.Errorf("%w\nwant %s\n got %w", err, c.Fails, f.describe(c))
		return v
	}
	v.passed = true
	if !v.text {
		v.err = fmt.Errorf("text\nwant %s\n got %w", c.Fails, f.Err)
	}
	return v
}

func (n *failureNode) String() string {
	return fmt.Sprintf("%s %q", n.kind(), n.Message)
}

// kind is the class without its package.
func (n *failureNode) kind() string { return n.Type[strings.LastIndex(n.Type, ".")+1:] }

// inText tells whether the wanted message is part of the error's text, or of one that it wraps.
func (n *failureNode) inText(err error) bool {
	return textHas(err, n.Message) && textHas(err, n.CauseMessage)
}

func textHas(err error, part string) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), part) {
			return true
		}
	}
	return part == ""
}

// classDiffers compares which statement failed and in which phase. Only the last statement may fail.
func (c *testCase) classDiffers(f *failure) error {
	streams := c.Fails.kind() == "StreamsException"
	if streams != f.piping {
		return fmt.Errorf("class: a record must fail: %t, a record failed: %t", streams, f.piping)
	}
	if f.piping {
		return nil
	}
	if last := len(splitScript(c.script())) - 1; f.Statement != last {
		return fmt.Errorf("class: statement %d failed, not %d", f.Statement+1, last+1)
	}
	if parse := f.Phase == PhaseParse; parse && !c.Fails.mayBeParse() || !parse && c.Fails.mustBeParse() {
		return fmt.Errorf("class: failed in phase %s", f.Phase)
	}
	return nil
}

// mustBeParse tells whether the text is no statement at all.
func (n *failureNode) mustBeParse() bool {
	return n.mayBeParse() && (strings.Contains(n.Message, "Syntax Error") || strings.Contains(n.Message, "Unknown statement"))
}

// mayBeParse tells whether a parser may refuse it: upstream's makes rules of the parser that others find later, and the other way round.
func (n *failureNode) mayBeParse() bool { return n.kind() == "ParseFailedException" }
