/* Facade of src/net: files from other machines. */
#ifndef FN_NET_NET_H
#define FN_NET_NET_H

#include "net/call.h"
#include "net/digest.h"
#include "net/download.h"
#include "net/options.h"
#include "net/receipt.h"
#include "net/unzip.h"
#include "net/url.h"

#endif
