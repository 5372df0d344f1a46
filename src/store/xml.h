/* Answers of S3 and STS: small XML documents without a document type. Parses bytes of strangers: bounded in depth and
 * size, nothing outside the document is ever read. */
#ifndef FN_STORE_XML_H
#define FN_STORE_XML_H

#include "base/base.h"

enum { FN_XML_DEPTH = 16 };

/* Calls see(arg, path, text) when an element ends: path is "ListBucketResult/Contents/Key", without prefixes of
 * namespaces; text its own characters with entities undone, "" when it holds elements. Attributes, comments and
 * processing instructions are passed over. What see returns other than FN_OK ends the walk and is returned.
 * FN_E_INVALID with the byte where it is no XML of this kind; name stands in the message. */
FN_NODISCARD fn_status fn_xml_walk(fn_str text, const char *name,
                                   fn_status (*see)(void *arg, const char *path, fn_str text, fn_err *err), void *arg,
                                   fn_err *err);
/* Whether a path is that of a pattern, where "*" stands for one name: services differ in what they call the outermost
 * element, and their own libraries do not look at it. */
bool fn_xml_is(const char *path, const char *pattern);
/* The text of the first element of that pattern; false when there is none, or text is no XML. Appended to *out. */
bool fn_xml_find(fn_buf *out, fn_str text, const char *pattern);
/* Appends text with &, < and > as entities. */
void fn_xml_escape(fn_buf *out, fn_str text);

#endif
