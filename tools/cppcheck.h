/* What cppcheck, which reads no system headers, must know of them (tools/cppcheck.sh). */
#define json_object_foreach(object_, key_, value_)                                                                     \
  for (key_ = json_object_iter_key(json_object_iter(object_)); key_ && (value_ = json_object_get(object_, key_));      \
       key_ = json_object_iter_key(json_object_iter_next(object_, json_object_key_to_iter(key_))))
