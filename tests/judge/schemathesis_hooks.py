"""Bodies that Schemathesis cannot write by itself: they are texts already."""

import schemathesis


@schemathesis.serializer("application/jsonlines", "text/csv")
def text(context, value):
    return str(value).encode("utf-8", "surrogatepass")
