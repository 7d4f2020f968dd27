package row

import (
	"math"
	"testing"
)

func TestDoublesAreWrittenAsJavaDoes(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", math.Copysign(0, -1): "-0.0", 1: "1.0", -10: "-10.0", 0.001: "0.001", 0.0001: "1.0E-4", 1e7: "1.0E7", 1e23: "1.0E23", -2e-5: "-2.0E-5", 9999999: "9999999.0",
		12345678.9: "1.23456789E7", math.Inf(1): "Infinity", math.Inf(-1): "-Infinity", 1.5e300: "1.5E300", 4.9e-324: "4.9E-324", 0.1: "0.1",
	} {
		if got := string(AppendDouble(nil, f)); got != want {
			t.Errorf("%g: %s, want %s", f, got, want)
		}
	}
	if got := string(AppendDouble(nil, math.NaN())); got != "NaN" {
		t.Errorf("NaN: %s", got)
	}
}
