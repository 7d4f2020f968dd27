//go:build plantedbugs

package planted

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// finders says which test of which package finds a bug.
var finders = map[Bug][2]string{
	JournalUnsynced:      {"journal", "TestEveryCrashPointKeepsWhatWasFlushed"},
	JournalDirUnsynced:   {"journal", "TestEveryCrashPointKeepsWhatWasFlushed"},
	SyncErrorForgotten:   {"broker", "TestAnErrorOfAnySyncEndsTheNode"},
	ReplayedTwice:        {"journal", "TestEveryCrashPointKeepsWhatWasFlushed"},
	AcknowledgedEarly:    {"broker", "TestNothingIsShownOrAcknowledgedBeforeItsSync"},
	ShownEarly:           {"broker", "TestNothingIsShownOrAcknowledgedBeforeItsSync"},
	LogsUnsynced:         {"broker", "TestCrashAtEveryFileOperation"},
	ReleasedEarly:        {"broker", "TestCrashAtEveryFileOperation"},
	RemovedEarly:         {"commitlog", "TestEveryCrashPointKeepsWhatWasSynced"},
	EpochUnchecked:       {"broker", "TestIdempotence"},
	SequenceUnchecked:    {"broker", "TestIdempotence"},
	ProducersForgotten:   {"broker", "TestIdempotence"},
	BeyondStable:         {"broker", "TestTransactionIsolation"},
	AbortedForgotten:     {"broker", "TestTransactionIsolation"},
	WriterUnfenced:       {"broker", "TestNewerEpochWriterFencesTheOlder"},
	GroupCommitLost:      {"broker", "TestCrashAtEveryFileOperation"},
	PositionsLost:        {"broker", "TestEpochIsOneStep"},
	OffsetReused:         {"broker", "TestProduceAndFetch"},
	ChecksumUnchecked:    {"broker", "TestNoFlippedBitIsServedOrDropsAnything"},
	LeaderEpochUnchanged: {"broker", "TestLeaderEpochs"},
	TornTailKept:         {"journal", "TestEveryFlippedByteIsFoundOrCutAtTheEnd"},
	RoundTornByFull:      {"broker", "TestNoSpaceAtAnyOperationLosesNothing"},
}

// run runs one test of a package with a bug planted, or none, and returns what it says.
func run(t *testing.T, binary, pkg, test string, bug Bug) (output string, passes bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "-test.run", "^"+test+"$", "-test.timeout", "5m")
	cmd.Dir = filepath.Join("..", pkg)
	cmd.Env = append(os.Environ(), "MAINSTEM_PLANTED_BUG="+string(bug))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), err == nil
}

func TestEveryPlantedBugIsFound(t *testing.T) {
	binaries := map[string]string{}
	healthy := map[[2]string]bool{}
	for bug, finder := range finders {
		pkg, test := finder[0], finder[1]
		if binaries[pkg] == "" {
			binaries[pkg] = filepath.Join(t.TempDir(), pkg+".test")
			out, err := exec.Command("go", "test", "-c", "-tags", "plantedbugs", "-o", binaries[pkg], "../"+pkg).CombinedOutput()
			if err != nil {
				t.Fatalf("build the tests of %s: %v\n%s", pkg, err, out)
			}
		}
		if !healthy[finder] {
			if out, ok := run(t, binaries[pkg], pkg, test, ""); !ok || strings.Contains(out, "no tests to run") {
				t.Fatalf("%s of %s fails without a bug\n%s", test, pkg, out)
			}
			healthy[finder] = true
		}
		t.Run(string(bug), func(t *testing.T) {
			if out, ok := run(t, binaries[pkg], pkg, test, bug); ok {
				t.Errorf("%s of %s does not find it\n%s", test, pkg, out)
			}
		})
	}
}
