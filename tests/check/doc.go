// Package check holds the tests of package check over real databases.
package check
