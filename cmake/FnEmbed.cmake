# fn_embed(TARGET VARIABLE FILES…): turns text files into one generated C table
#   const fn_embedded VARIABLE[] = { { "name relative to the project", bytes, size }, …, { 0 } };
function(fn_embed target variable)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${variable}.c)
  list(JOIN ARGN "," files)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DVARIABLE=${variable} -DROOT=${CMAKE_SOURCE_DIR} "-DFILES=${files}"
            -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${ARGN} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
