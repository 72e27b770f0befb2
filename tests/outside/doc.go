// Package outside tests the modules of this repository as their users get them:
// through a module proxy, without replace directives and without the tree.
package outside
