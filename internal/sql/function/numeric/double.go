package numeric

import "math"

// A pair is the sum of two doubles, the second at most half a unit in the last place of the first: 106 bits. The functions below are
// computed with them and rounded once, so that they give the double nearest to the result, as Java's do nearly always; those of package
// math are one or two units off for many arguments.
type pair struct{ hi, lo float64 }

func twoSum(a, b float64) pair {
	s := a + b
	t := s - a
	return pair{s, (a - (s - t)) + (b - t)}
}

func twoProduct(a, b float64) pair {
	p := a * b
	return pair{p, math.FMA(a, b, -p)}
}

func (a pair) normal() pair {
	s := a.hi + a.lo
	return pair{s, a.lo - (s - a.hi)}
}

func (a pair) add(b pair) pair {
	s, t := twoSum(a.hi, b.hi), twoSum(a.lo, b.lo)
	s = pair{s.hi, s.lo + t.hi}.normal()
	return pair{s.hi, s.lo + t.lo}.normal()
}

func (a pair) minus(b pair) pair { return a.add(pair{-b.hi, -b.lo}) }

func (a pair) mul(b pair) pair {
	p := twoProduct(a.hi, b.hi)
	return pair{p.hi, p.lo + (a.hi*b.lo + a.lo*b.hi)}.normal()
}

// times is a multiple; f is exact.
func (a pair) times(f float64) pair { return a.mul(pair{f, 0}) }

func (a pair) div(b pair) pair {
	q := a.hi / b.hi
	r := a.minus(b.times(q))
	q2 := r.hi / b.hi
	r = r.minus(b.times(q2))
	return twoSum(q, q2).add(pair{r.hi / b.hi, 0})
}

func (a pair) double() float64 { return a.hi + a.lo }

var (
	one = pair{1, 0}
	ln2 = pair{0.6931471805599453, 2.3190468138462996e-17}
)

// quarter is a right angle in three parts.
var quarter = [3]float64{1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33}

const (
	maxTurns    = 1 << 30 // right angles: beyond, too little is left of an angle's digits
	maxExponent = 700     // of e, either way: beyond, results are near the ends of what a double holds
	allButOne   = 22      // beyond, the hyperbolic tangent is 1 and only one of the two exponentials counts
)

// series sums the terms of a power series. The first is x, and each is the one before it times square, divided by the product of the next
// two numbers from n on.
func series(x, square pair, n float64) pair {
	sum, term := x, x
	for ; math.Abs(term.hi) > 1e-34*math.Abs(sum.hi); n += 2 {
		term = term.mul(square).div(pair{n * (n + 1), 0})
		sum = sum.add(term)
	}
	return sum
}

// exponential is e raised to x, whose size is at most maxExponent.
func exponential(x pair) pair {
	const halvings = 9
	k := math.Round(x.hi / ln2.hi)
	r := x.minus(ln2.times(k))
	r = pair{math.Ldexp(r.hi, -halvings), math.Ldexp(r.lo, -halvings)}
	term, sum := r, r // of e^r - 1
	for n := 2.0; n < 10; n++ {
		term = term.mul(r).div(pair{n, 0})
		sum = sum.add(term)
	}
	for range halvings {
		sum = sum.add(sum).add(sum.mul(sum))
	}
	sum = sum.add(one)
	return pair{math.Ldexp(sum.hi, int(k)), math.Ldexp(sum.lo, int(k))}
}

// sine and cosine of an angle of at most maxTurns right angles.
func sineCosine(x float64) (sin, cos pair) {
	k := math.Round(x / quarter[0])
	r := pair{x, 0}
	for _, part := range quarter {
		r = r.minus(twoProduct(k, part))
	}
	square := r.mul(r)
	negative := pair{-square.hi, -square.lo}
	s, c := series(r, negative, 2), series(one, negative, 1)
	switch int64(k) & 3 {
	case 1:
		return c, pair{-s.hi, -s.lo}
	case 2:
		return pair{-s.hi, -s.lo}, pair{-c.hi, -c.lo}
	case 3:
		return pair{-c.hi, -c.lo}, s
	}
	return s, c
}

func plainAngle(x float64) bool { return x != 0 && math.Abs(x) < maxTurns }

func sine(x float64) float64 {
	if !plainAngle(x) {
		return math.Sin(x)
	}
	s, _ := sineCosine(x)
	return s.double()
}

func cosine(x float64) float64 {
	if !plainAngle(x) {
		return math.Cos(x)
	}
	_, c := sineCosine(x)
	return c.double()
}

func tangent(x float64) float64 {
	if !plainAngle(x) {
		return math.Tan(x)
	}
	s, c := sineCosine(x)
	return s.div(c).double()
}

// The inverse functions take what package math gives and add what its sine and cosine lack: one step of Newton's method.

func arcTangent(x float64) float64 { return arcTangent2(x, 1) }

// arcTangent2 is the angle of the point (x, y).
func arcTangent2(y, x float64) float64 {
	angle := math.Atan2(y, x)
	if x == 0 || y == 0 || math.IsInf(x, 0) || math.IsInf(y, 0) || angle != angle || math.Abs(angle) < 1e-300 {
		return angle
	}
	if e := math.Ilogb(max(math.Abs(x), math.Abs(y))); e > 500 || e < -400 { // so that products neither overflow nor vanish
		x, y = math.Ldexp(x, -e), math.Ldexp(y, -e)
	}
	s, c := sineCosine(angle)
	gap := c.times(y).minus(s.times(x)).div(c.times(x).add(s.times(y)))
	return pair{angle, 0}.add(gap).double()
}

func arcSine(x float64) float64 {
	angle := math.Asin(x)
	if !(math.Abs(x) < 1) || x == 0 {
		return angle
	}
	s, c := sineCosine(angle)
	return pair{angle, 0}.add(pair{x, 0}.minus(s).div(c)).double()
}

func arcCosine(x float64) float64 {
	angle := math.Acos(x)
	if !(math.Abs(x) < 1) {
		return angle
	}
	s, c := sineCosine(angle)
	return pair{angle, 0}.add(c.minus(pair{x, 0}).div(s)).double()
}

func cubeRoot(x float64) float64 {
	root := math.Cbrt(x)
	if x == 0 || root != root || math.IsInf(x, 0) || math.Abs(x) < 1e-300 || math.Abs(x) > 1e300 {
		return root
	}
	square := twoProduct(root, root)
	return pair{root, 0}.add(pair{x, 0}.minus(square.times(root)).div(square.times(3))).double()
}

func exp(x float64) float64 {
	if !(math.Abs(x) < maxExponent) {
		return math.Exp(x)
	}
	return exponential(pair{x, 0}).double()
}

// exponentialLess1 is e raised to x, less 1.
func exponentialLess1(x float64) float64 {
	if math.Abs(x) < 1e-3 {
		return math.Expm1(x)
	}
	return exponential(pair{x, 0}).minus(one).double()
}

// The hyperbolic functions are computed from exponentials in doubles, as Java's are: these differ from the nearest double now and then.

func hyperbolicSine(x float64) float64 {
	if !(math.Abs(x) < allButOne) || x == 0 {
		return math.Sinh(x)
	}
	t, half := exponentialLess1(math.Abs(x)), math.Copysign(0.5, x)
	if math.Abs(x) < 1 {
		return half * (2*t - t*t/(t+1))
	}
	return half * (t + t/(t+1))
}

func hyperbolicCosine(x float64) float64 {
	if !(math.Abs(x) < allButOne) {
		return math.Cosh(x)
	}
	if math.Abs(x) < math.Ln2/2 {
		t := exponentialLess1(math.Abs(x))
		return 1 + t*t/(2*(1+t))
	}
	t := exp(math.Abs(x))
	return 0.5*t + 0.5/t
}

func hyperbolicTangent(x float64) float64 {
	if !(math.Abs(x) < allButOne) || x == 0 {
		return math.Tanh(x)
	}
	if math.Abs(x) >= 1 {
		return math.Copysign(1-2/(exponentialLess1(2*math.Abs(x))+2), x)
	}
	t := exponentialLess1(-2 * math.Abs(x))
	return math.Copysign(-t/(t+2), x)
}

// power is x raised to y: e raised to y times x's logarithm, which Newton's method makes exact enough.
func power(x, y float64) float64 {
	plain := math.Pow(x, y)
	if x == 0 || y == 0 || x == 1 || plain != plain || math.IsInf(x, 0) || math.IsInf(y, 0) {
		if x == 1 && (y != y || math.IsInf(y, 0)) || x == -1 && math.IsInf(y, 0) {
			return math.NaN() // as in Java
		}
		return plain
	}
	size := math.Abs(x)
	log := naturalLog(size)
	if !(math.Abs(log*y) < maxExponent) || math.Abs(log) > maxExponent {
		return plain
	}
	gap := exponential(pair{-log, 0}).times(size).minus(one)
	return math.Copysign(exponential(pair{log, 0}.add(gap).times(y)).double(), plain)
}
