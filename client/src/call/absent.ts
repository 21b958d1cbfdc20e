/** Stands in for a package that the page never uses. */
export default {};
