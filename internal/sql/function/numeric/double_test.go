package numeric

import (
	"math"
	"testing"
)

// The wanted values are the doubles nearest to the results, of hyperbolic functions those of Java.
func TestFunctionsOfDoubles(t *testing.T) {
	for _, c := range []struct {
		name string
		f    func(float64) float64
		x    float64
		want float64
	}{
		{"acos", arcCosine, 0.43, 1.1263035498590777},
		{"acos", arcCosine, 0.5, 1.0471975511965979},
		{"acos", arcCosine, 0.99999, 0.0044721396817777506},
		{"acos", arcCosine, -1, math.Pi},
		{"acos", arcCosine, 1, 0},
		{"asin", arcSine, 0.99999, 1.5663241871131188},
		{"asin", arcSine, 0.02, 0.02000133357339049},
		{"asin", arcSine, -1, -math.Pi / 2},
		{"atan", arcTangent, 6, 1.4056476493802699},
		{"atan", arcTangent, -100, -1.5607966601082315},
		{"atan", arcTangent, 1e200, math.Pi / 2},
		{"exp", exp, 1.5, 4.4816890703380645},
		{"exp", exp, -8, 0.00033546262790251185},
		{"exp", exp, 800, math.Inf(1)},
		{"tan", tangent, 1, 1.5574077246549023},
		{"tan", tangent, 2 * math.Pi, -2.4492935982947064e-16},
		{"tan", tangent, math.Pi / 2, 1.633123935319537e16},
		{"sin", sine, 2, 0.9092974268256817},
		{"sin", sine, math.Pi, 1.2246467991473532e-16},
		{"sin", sine, 10, -0.5440211108893698},
		{"cos", cosine, 0.7, 0.7648421872844885},
		{"cos", cosine, 5, 0.28366218546322625},
		{"cos", cosine, -4.5, -0.2107957994307797},
		{"cbrt", cubeRoot, 2, 1.2599210498948732},
		{"cbrt", cubeRoot, 27, 3},
		{"cbrt", cubeRoot, -6, -1.8171205928321397},
		{"sinh", hyperbolicSine, 0.1, 0.10016675001984403},
		{"sinh", hyperbolicSine, 1.5, 2.1292794550948173},
		{"cosh", hyperbolicCosine, 1.5, 2.352409615243247},
		{"cosh", hyperbolicCosine, 7, 548.317035155212},
		{"tanh", hyperbolicTangent, 0.43, 0.4053213086894629},
		{"tanh", hyperbolicTangent, -0.7, -0.6043677771171636},
		{"tanh", hyperbolicTangent, 50, 1},
	} {
		if got := c.f(c.x); got != c.want {
			t.Errorf("%s(%v) is %v, want %v", c.name, c.x, got, c.want)
		}
	}
	for _, f := range []func(float64) float64{arcCosine, arcSine, arcTangent, exp, tangent, sine, cosine, cubeRoot, hyperbolicSine, hyperbolicCosine, hyperbolicTangent} {
		if got := f(math.NaN()); got == got {
			t.Error("a function of NaN gives", got)
		}
	}
}

func TestPower(t *testing.T) {
	for _, c := range [][3]float64{
		{1.1, 24, 9.84973267580763},
		{2.5, 3.1, 17.12434728726902},
		{10, -2, 0.01},
		{-2, 3, -8},
		{-15, 2, 225},
		{0, 0, 1},
		{4, 0.5, 2},
		{2, 2000, math.Inf(1)},
		{2, -2000, 0},
		{15, -1, 0.06666666666666667},
	} {
		if got := power(c[0], c[1]); got != c[2] {
			t.Errorf("power(%v, %v) is %v, want %v", c[0], c[1], got, c[2])
		}
	}
	if got := power(-2, 0.5); got == got {
		t.Error("the root of a negative number is", got)
	}
	if got := power(1, math.Inf(1)); got == got {
		t.Error("one raised to infinity is", got)
	}
}

func TestAngleOfAPoint(t *testing.T) {
	for _, c := range [][3]float64{{2, 0.5, 1.3258176636680326}, {0, -1, math.Pi}, {1, 0, math.Pi / 2}, {1e300, 1e300, math.Pi / 4}, {-3, -3, -3 * math.Pi / 4}} {
		if got := arcTangent2(c[0], c[1]); got != c[2] {
			t.Errorf("the angle of (%v, %v) is %v, want %v", c[1], c[0], got, c[2])
		}
	}
}
