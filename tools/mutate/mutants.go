package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"strconv"
	"strings"
)

// mutant is one change of one file.
type mutant struct {
	pkg         *goPackage
	file        string
	source      []byte
	start, end  int // bytes of source
	replacement string
	what        string
}

func (m mutant) String() string { return m.what }
func (m mutant) text() string   { return string(m.source[m.start:m.end]) }
func (m mutant) line() int      { return 1 + strings.Count(string(m.source[:m.start]), "\n") }

// changed is the file with the change in it.
func (m mutant) changed() []byte {
	return []byte(string(m.source[:m.start]) + m.replacement + string(m.source[m.end:]))
}

// lines are the lines of the change, with text instead of the original.
func (m mutant) lines(text string) string {
	start := strings.LastIndexByte(string(m.source[:m.start]), '\n') + 1
	end := len(m.source)
	if i := strings.IndexByte(string(m.source[m.end:]), '\n'); i >= 0 {
		end = m.end + i
	}
	return string(m.source[start:m.start]) + text + string(m.source[m.end:end])
}

// comparisons and operators are what each operator may become.
var comparisons = map[token.Token][]token.Token{
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
	token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR},
	token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
}

var operators = map[token.Token]token.Token{
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL,
	token.AND: token.OR, token.OR: token.AND, token.XOR: token.AND, token.AND_NOT: token.AND, token.SHL: token.SHR, token.SHR: token.SHL,
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN, token.MUL_ASSIGN: token.QUO_ASSIGN, token.QUO_ASSIGN: token.MUL_ASSIGN,
	token.OR_ASSIGN: token.AND_ASSIGN, token.AND_ASSIGN: token.OR_ASSIGN,
}

// mutants lists all possible changes of the package.
func (p *goPackage) mutants() ([]mutant, error) {
	var all []mutant
	for _, f := range p.files {
		if ast.IsGenerated(f.ast) {
			continue
		}
		source, err := os.ReadFile(f.path)
		if err != nil {
			return nil, err
		}
		c := collector{pkg: p, path: f.path, source: source, base: p.set.File(f.ast.FileStart)}
		for _, decl := range f.ast.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Body != nil {
					ast.Inspect(decl.Body, func(n ast.Node) bool { c.node(n); return true })
				}
			case *ast.GenDecl:
				if decl.Tok != token.IMPORT {
					ast.Inspect(decl, func(n ast.Node) bool { c.node(n); return true })
				}
			}
		}
		all = append(all, c.found...)
	}
	return all, nil
}

// collector finds the changes of one file.
type collector struct {
	pkg    *goPackage
	path   string
	source []byte
	base   *token.File
	found  []mutant
}

// replace notes a change of what is between two positions.
func (c *collector) replace(from, to token.Pos, replacement, format string, args ...any) {
	c.found = append(c.found, mutant{
		pkg: c.pkg, file: c.path, source: c.source, start: c.base.Offset(from), end: c.base.Offset(to),
		replacement: replacement, what: fmt.Sprintf(format, args...),
	})
}

func (c *collector) text(n ast.Node) string {
	return string(c.source[c.base.Offset(n.Pos()):c.base.Offset(n.End())])
}

func (c *collector) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.IfStmt:
		c.negate("if", n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			c.negate("for", n.Cond)
		}
	case *ast.BinaryExpr:
		c.operator(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			c.replace(n.Pos(), n.X.Pos(), "", "! left out")
		}
	case *ast.BasicLit:
		c.number(n)
	case *ast.Ident:
		if other := map[string]string{"true": "false", "false": "true"}[n.Name]; other != "" && c.pkg.info.Uses[n] == types.Universe.Lookup(n.Name) {
			c.replace(n.Pos(), n.End(), other, "%s → %s", n.Name, other)
		}
	case *ast.BlockStmt:
		c.statements(n.List)
	case *ast.CaseClause:
		c.statements(n.Body)
	case *ast.CommClause:
		c.statements(n.Body)
	case *ast.ReturnStmt:
		c.returned(n)
	}
}

func (c *collector) negate(word string, cond ast.Expr) {
	if b, ok := cond.(*ast.BinaryExpr); ok && (b.Op == token.EQL || b.Op == token.NEQ) {
		return // its operator is changed
	}
	c.replace(cond.Pos(), cond.End(), "!("+c.text(cond)+")", "%s condition negated", word)
}

func (c *collector) operator(n *ast.BinaryExpr) {
	end := n.OpPos + token.Pos(len(n.Op.String()))
	for _, other := range comparisons[n.Op] {
		c.replace(n.OpPos, end, other.String(), "%s → %s", n.Op, other)
	}
	if other, ok := operators[n.Op]; ok {
		// The sum of strings has no difference.
		if basic, isBasic := c.pkg.info.TypeOf(n).Underlying().(*types.Basic); isBasic && basic.Info()&types.IsString != 0 {
			return
		}
		c.replace(n.OpPos, end, other.String(), "%s → %s", n.Op, other)
	}
}

func (c *collector) number(n *ast.BasicLit) {
	if n.Kind != token.INT {
		return
	}
	value, exact := constant.Int64Val(constant.MakeFromLiteral(n.Value, token.INT, 0))
	if !exact {
		return
	}
	for _, other := range []int64{value + 1, value - 1} {
		if other < 0 {
			continue
		}
		c.replace(n.Pos(), n.End(), strconv.FormatInt(other, 10), "%s → %d", n.Value, other)
	}
}

// statements leaves out one statement of a list.
func (c *collector) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt:
			c.leaveOut(s)
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				c.leaveOut(s)
			}
			if other, ok := operators[s.Tok]; ok {
				c.replace(s.TokPos, s.TokPos+token.Pos(len(s.Tok.String())), other.String(), "%s → %s", s.Tok, other)
			}
		case *ast.IfStmt:
			if s.Else == nil {
				c.leaveOut(s)
			}
		case *ast.BranchStmt:
			c.leaveOut(s)
			if other := map[token.Token]string{token.BREAK: "continue", token.CONTINUE: "break"}[s.Tok]; other != "" && s.Label == nil {
				c.replace(s.Pos(), s.End(), other, "%s → %s", s.Tok, other)
			}
		}
	}
}

func (c *collector) leaveOut(s ast.Stmt) {
	what, _, _ := strings.Cut(c.text(s), "\n")
	c.replace(s.Pos(), s.End(), "", "left out: %s", oneLine(what))
}

var errorType = types.Universe.Lookup("error").Type()

// returned makes a function return nil instead of its error.
func (c *collector) returned(n *ast.ReturnStmt) {
	for _, result := range n.Results {
		typ := c.pkg.info.TypeOf(result)
		if typ == nil || c.text(result) == "nil" || !types.Implements(typ, errorType.Underlying().(*types.Interface)) {
			continue
		}
		if len(n.Results) == 1 || result == n.Results[len(n.Results)-1] {
			c.replace(result.Pos(), result.End(), "nil", "error → nil: return %s", oneLine(c.text(result)))
		}
	}
}
