# The commit shown by --version, "unknown" outside a git checkout, and its day, which dates the manual page.
find_package(Git QUIET)
set(FN_REVISION "unknown")
string(TIMESTAMP FN_DATE "%Y-%m-%d" UTC) # of SOURCE_DATE_EPOCH, where that is set
if(Git_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(revision)
    set(FN_REVISION ${revision})
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} show -s --format=%cs HEAD
      OUTPUT_VARIABLE FN_DATE OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  # A commit or checkout makes configure run again, so that the name stays true.
  if(EXISTS ${CMAKE_SOURCE_DIR}/.git/HEAD)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/.git/HEAD)
  endif()
  if(EXISTS ${CMAKE_SOURCE_DIR}/.git/logs/HEAD)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/.git/logs/HEAD)
  endif()
endif()
