#include "store/options.h"

#define AT(member) offsetof(fn_bucket_options, member)

static const fn_option options[] = {
    {"store.part_mb", FN_OPTION_INT, AT(part_mb), "8", "[1,5120]", false, false,
     "MiB of one part of a large file in S3 or Google Cloud Storage: what is sent again when a connection breaks. S3's "
     "are 5 at least, and grow where 10,000 of them would not hold the file."},
    {"store.connections", FN_OPTION_INT, AT(connections), "8", "[1,64]", false, false,
     "Connections that the parts of one large file travel over at once: to S3, and from S3 and Google Cloud Storage."},
    {"store.anonymous", FN_OPTION_BOOL, AT(anonymous), "false", NULL, false, false,
     "Ask buckets without credentials: for those that are open to everybody."},
    {"store.s3_endpoint", FN_OPTION_STRING, AT(s3_endpoint), "null", NULL, true, false,
     "Where S3 is, as https://host[:port], for services other than Amazon's; AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL "
     "set it too. The bucket then stands in the path."},
    {"store.s3_region", FN_OPTION_STRING, AT(s3_region), "null", NULL, true, false,
     "Region that S3's requests are signed for; AWS_REGION, AWS_DEFAULT_REGION and the profile set it too. Null: "
     "theirs, "
     "else us-east-1."},
};

const fn_option_table fn_bucket_option_table = {
    .title = "Artifact stores",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_bucket_options),
};
