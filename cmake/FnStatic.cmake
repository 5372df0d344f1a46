# fakenews_lambda: the program as one static file that loads no libraries, for AWS Lambda (make lambda-zip). The objects
# are those of the ordinary program but for the few that load libraries or stand for one that is loaded: being linked
# first, they keep the others' out. SQLite is inside; HTTP, downloads and PostgreSQL are not there.
add_library(fn_static OBJECT EXCLUDE_FROM_ALL
  src/base/library.c src/sql/libraries.c src/serve/http_absent.c)
target_compile_definitions(fn_static PRIVATE FN_STATIC)
target_include_directories(fn_static SYSTEM PRIVATE ${SQLITE_INCLUDE_DIRS} ${PQ_INCLUDE_DIRS})
target_link_libraries(fn_static PRIVATE fn_flags)

set(archives "")
set(folders ${FN_FOLDERS})
list(REMOVE_ITEM folders lib cli)
foreach(folder IN LISTS folders)
  list(APPEND archives $<TARGET_FILE:fn_${folder}>)
endforeach()
add_executable(fakenews_lambda EXCLUDE_FROM_ALL $<TARGET_OBJECTS:fakenews> $<TARGET_OBJECTS:fn_static>)
add_dependencies(fakenews_lambda fakenews)
target_link_libraries(fakenews_lambda PRIVATE -static-pie
  -Wl,--start-group ${archives} -Wl,--end-group
  -l:libsqlite3.a -l:libjansson.a -l:libyaml.a -l:libxxhash.a -l:libz.a m)
set_target_properties(fakenews_lambda PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} LINKER_LANGUAGE C)
target_link_options(fakenews_lambda PRIVATE -Wl,-z,relro,-z,now)
