#include "data/options.h"

#define AT(member) offsetof(fn_data_options, member)

static const fn_option options[] = {
    {"data.text", FN_OPTION_ENUM, AT(text), "title+text", "title|text|title+text", false, false,
     "What the classifier reads. Rows where all of it is empty are dropped, and duplicates are found by it."},
    {"data.format", FN_OPTION_ENUM, AT(format), "auto", "auto|csv|jsonl|text", false, false,
     "Form of the input; `auto` goes by the file's name (.csv, .tsv, .jsonl, .txt, each also with .gz or .zst), then "
     "by its "
     "first byte. `text`: the whole file is one article."},
    {"data.encoding", FN_OPTION_ENUM, AT(encoding), "auto", "auto|utf-8|utf-16|windows-1252", false, false,
     "Encoding of the input. `auto`: UTF-8, or UTF-16 or Windows-1252 where the bytes leave no doubt; what was found "
     "is "
     "reported. A file of UTF-8 with some bad bytes is never read as Windows-1252: its bad rows are refused."},
    {"data.delimiter", FN_OPTION_STRING, AT(delimiter), "auto", NULL, false, false,
     "What stands between the fields of CSV: `,` `;` `|` or `tab`. `auto`: the only one of them in the header line, "
     "else the comma."},
    {"data.columns.title", FN_OPTION_STRING, AT(column_title), "title", NULL, false, false,
     "Column (CSV) or key (JSON lines) that holds the title."},
    {"data.columns.text", FN_OPTION_STRING, AT(column_text), "text", NULL, false, false,
     "Column that holds the article's text."},
    {"data.columns.label", FN_OPTION_STRING, AT(column_label), "label", NULL, false, false,
     "Column that holds the label; not read for an input given as LABEL:FILE."},
    {"data.columns.source", FN_OPTION_STRING, AT(column_source), "source", NULL, false, false,
     "Column that holds the publisher or site. Without it the source is unknown."},
    {"data.columns.dataset", FN_OPTION_STRING, AT(column_dataset), "dataset", NULL, false, false,
     "Column that holds the dataset's name. Without it data.dataset is taken."},
    {"data.columns.split", FN_OPTION_STRING, AT(column_split), "split", NULL, false, false,
     "Column that holds train, validation or test, for data.split=given."},
    {"data.dataset", FN_OPTION_STRING, AT(dataset), "null", NULL, true, false,
     "Name of the dataset for rows that have no dataset column; null takes the file's base name (all LABEL:FILE inputs "
     "together are one dataset)."},
    {"data.licenses", FN_OPTION_MAP, AT(licenses), "null", NULL, true, false,
     "Licences of the inputs by their file names, {news.csv: CC0-1.0}, for prepare.json and the cards of models. Where "
     "none "
     "is given: what `data download` noted of the file, else unknown."},
    {"data.label_map", FN_OPTION_MAP, AT(label_map), "null", NULL, true, false,
     "What the values of the label column mean: {true:real,pants-fire:fake,unproven:drop}. Letter case does not count. "
     "Without a map only 0 and real, 1 and fake are labels."},
    {"data.rules", FN_OPTION_STRING, AT(rules), "default", NULL, false, false,
     "Boilerplate to cut from the texts: `default` (datelines, credits), `none`, or a YAML file of rules."},
    {"data.near_duplicates", FN_OPTION_FLOAT, AT(near_duplicates), "0.8", "[0.3,1]", true, false,
     "Share of common word triples (Jaccard) from which two rows count as copies of one another; null turns this off."},
    {"data.split", FN_OPTION_ENUM, AT(split), "random", "random|group|given", false, false,
     "`random`: stratified by dataset and label, copies stay together. `group`: whole groups of data.group. `given`: "
     "the split column."},
    {"data.fractions", FN_OPTION_LIST, AT(fractions), "[0.7,0.15,0.15]", NULL, false, false,
     "Shares of train, validation and test; their sum is 1. Not used with data.split=given."},
    {"data.seed", FN_OPTION_INT, AT(seed), "2018", "[0,)", false, false, "Seed of the split."},
    {"data.group", FN_OPTION_STRING, AT(group), "source", NULL, false, false,
     "Group for data.split=group: `source`, `dataset`, or the name of any column."},
};

const fn_option_table fn_data_option_table = {
    .title = "Data",
    .options = options,
    .n_options = FN_COUNT_OF(options),
    .struct_size = sizeof(fn_data_options),
};
