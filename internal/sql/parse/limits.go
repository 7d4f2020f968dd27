package parse

// What a text may cost at most. The depth keeps the stack of everybody who walks a tree small; a chain of operators is a tree that leans to
// the left, as deep as the chain is long.
const (
	maxScript    = 16 << 20 // bytes of a script
	maxStatement = 1 << 20  // bytes of one statement with what stands before it
	maxDepth     = 200      // parentheses, calls, types, CASE, NOT and signs in each other
	maxList      = 10_000   // elements of a list: columns, values, properties
	maxChain     = 4_000    // operators of a chain: a OR b OR …
	maxPostfix   = 200      // steps of a path: a->b[1]->c …
)
