# `cmake --install build/release --prefix PREFIX` (make install; DESTDIR counts): the program, and what it says about
# itself: the manual page and the completions; the bundled model; the library (FnLibrary.cmake). Settings, rules and
# presets are inside the program.
install(TARGETS fakenews RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES models/default/default.fnm DESTINATION ${CMAKE_INSTALL_DATADIR}/fakenews OPTIONAL) # infer/default_model.h
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs FILES_MATCHING PATTERN *.md PATTERN *.json PATTERN *.png)
foreach(license LICENSE LICENSE.md LICENSE.txt COPYING)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${license})
    install(FILES ${license} DESTINATION ${CMAKE_INSTALL_DOCDIR})
  endif()
endforeach()

if(FN_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
  return()
endif()
set(said "")
function(fn_said destination file)
  set(out ${CMAKE_BINARY_DIR}/said/${file})
  add_custom_command(OUTPUT ${out} COMMAND fakenews help ${ARGN} > ${out} DEPENDS fakenews VERBATIM)
  install(FILES ${out} DESTINATION ${destination})
  set(said ${said} ${out} PARENT_SCOPE)
endfunction()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/said)
fn_said(${CMAKE_INSTALL_MANDIR}/man1 fakenews.1 --man)
fn_said(${CMAKE_INSTALL_DATADIR}/bash-completion/completions fakenews --completion bash)
fn_said(${CMAKE_INSTALL_DATADIR}/zsh/site-functions _fakenews --completion zsh)
fn_said(${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d fakenews.fish --completion fish)
add_custom_target(fn_said ALL DEPENDS ${said})
