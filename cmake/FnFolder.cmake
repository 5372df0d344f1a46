# fn_folder(NAME SOURCES … [NEEDS …]): one static library fn_NAME for src/NAME.
# NEEDS names lower folders (fn_base …) and libraries; every one is PUBLIC because headers of a folder show lower types.
function(fn_folder name)
  cmake_parse_arguments(arg "" "" "SOURCES;NEEDS" ${ARGN})
  add_library(fn_${name} STATIC ${arg_SOURCES})
  target_link_libraries(fn_${name} PUBLIC ${arg_NEEDS} m PRIVATE fn_flags)
endfunction()
